"""The training loop: resuming, stopping, validating, several processes."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest
import torch

from semantic_guidance.agents.ltp.agent import LtpAgent
from semantic_guidance.agents.ltp.files import load_actor
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.bank import to_bytes
from semantic_guidance.learning.run import checkpoint
from semantic_guidance.learning.run.loop import DivergedError, Trainer
from semantic_guidance.learning.run.processes import processes, settle_threads
from semantic_guidance.renderer.backends.neural import NeuralRenderer
from tests.learning.toys import discs, small_config, small_trainer

settle_threads(1)


def one_of_two(rank: int, port: int, folder: Path) -> None:
    """Train as one of two processes, and save what it has learned and remembers."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with processes("cpu") as group:
        config = small_config(train_timesteps=6)
        trainer = Trainer(config, discs(8, 16, 0), discs(4, 16, 1), folder, group)
        trainer.run()
        samples = trainer.replay.samples[: len(trainer.replay)]
        torch.save({"learner": trainer.learner.state_dict(), "samples": samples}, folder / f"rank{rank}.pt")


def same(one: object, other: object) -> bool:
    """Whether nested dictionaries and lists of tensors are equal."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def rows_of(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's log."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_resuming_is_as_if_it_had_not_stopped(tmp_path):
    whole = small_trainer(tmp_path / "whole", noise_factor=0.1)
    whole.run()
    small_trainer(tmp_path / "halves", noise_factor=0.1, train_timesteps=6).run()
    with (tmp_path / "halves" / "log.jsonl").open("a") as log:  # beyond the checkpoint, the last one cut off
        log.write('{"step": 8, "episode": 4, "train/Q": 99.0}\n{"step": 10, "epi')
    # A later attempt that died while it wrote a checkpoint leaves this behind.
    checkpoint.draft(tmp_path / "halves", 5)
    (tmp_path / "halves" / ".0123456789ab.part.safetensors").touch()
    second = small_trainer(tmp_path / "halves", noise_factor=0.1, resume=True)
    assert second.episode == 3
    second.run()
    assert whole.history[3:] == second.history
    assert same(whole.learner.state_dict(), second.learner.state_dict())
    names = [path.name for path in checkpoint.checkpoints(tmp_path / "halves")]
    assert names == ["00000003", "00000006"]
    assert not list((tmp_path / "halves").rglob("*.part*"))
    clocks = {"seconds", "train/samples_per_second"}
    one, other = (
        [{name: row[name] for name in row.keys() - clocks} for row in rows_of(tmp_path / name)]
        for name in ("whole", "halves")
    )
    assert one == other


def test_updates_are_of_steps_that_were_painted_at_the_rates_of_their_episode(tmp_path):
    rates = {"actor_lr": (3e-3, 2e-3), "critic_lr": (6e-3, 5e-3), "lr_episodes": (3,)}
    settings = {"val_interval": 0, "max_eps_len": 3, "train_timesteps": 15, "warmup": 3, "noise_factor": 0.5}
    trainer = small_trainer(tmp_path, **rates, **settings)
    learner, step = trainer.learner, trainer.learner.step
    painted, seen = set(), []

    def key(before, after, n):
        """A step's numbers, target and canvases."""
        numbers = (int(state.step[n]) for state in (before, after))
        pictures = (
            to_bytes(each[n]).numpy().tobytes() for each in (before.target, before.canvas, after.canvas)
        )
        return *numbers, *pictures

    def counted(state, action):
        after = step(state, action)
        painted.update(key(state, after, n) for n in range(state.batch))
        return after

    def update(before, after, mix):
        assert {key(before, after, n) for n in range(before.batch)} <= painted
        optimizers = (learner.actor_optimizer, learner.critic_optimizer)
        seen.append((trainer.episode, *(each.param_groups[0]["lr"] for each in optimizers)))
        return {"Q": torch.tensor(0.0)}

    learner.step, learner.update = counted, update
    trainer.run()
    assert len(painted) == 5 * 4 * 3
    assert seen == [(n, *((3e-3, 6e-3) if n <= 3 else (2e-3, 5e-3))) for n in (2, 3, 4, 5) for _ in range(2)]


def test_run_leaves_what_it_promises(tmp_path):
    trainer = small_trainer(tmp_path, keep=1)
    trainer.run()
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["00000006"]
    saved = load_actor(tmp_path / "actor.safetensors")
    assert (saved.env, saved.size) == (trainer.config.env, 16)
    assert saved.actor.fc.out_features == 26
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    tags = events.Tags()
    assert {"train/actor_loss", "train/critic_loss", "train/whole_gan_loss"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("validate/mean_dist")] == [6, 12]
    rows = rows_of(tmp_path)
    assert [(row["step"], row["episode"]) for row in rows] == [(2 * n, n) for n in range(1, 7)]
    told = {key for row in rows for key in row} - {"step", "episode", "seconds"}
    assert told == set(tags["scalars"])
    wanted = {
        "Q",
        "reward_adversarial",
        "reward_foreground",
        "reward_focus",
        "actor_gradient",
        "critic_gradient",
    }
    wanted |= {"foreground_gan_real", "foreground_gan_fake", "foreground_gan_penalty", "samples_per_second"}
    assert {f"train/{name}" for name in wanted} | {"validate/mean_reward"} <= told
    for event in events.Scalars("train/Q"):
        (row,) = (row for row in rows if row["step"] == event.step)
        assert row["train/Q"] == pytest.approx(event.value, rel=1e-5)
    assert "train/Q" not in rows[0]  # which only filled the memory
    assert ["validate/mean_dist" in row for row in rows] == [False, False, True] * 2
    assert tags["images"] == ["validate/paintings"]


def test_validation_is_the_error_on_held_out_pictures(tmp_path):
    trainer = small_trainer(tmp_path)
    results, shown = trainer.validate()
    target = discs(4, 16, 1).start(torch.tensor([0, 2, 4, 6]), torch.device("cpu")).target
    assert torch.equal(shown.target, target)
    assert results["mean_dist"] == pytest.approx(float((shown.canvas - target).square().mean()))
    gone = 1 - (shown.canvas - target).square().mean((1, 2, 3)) / target.square().mean((1, 2, 3))
    assert results["mean_reward"] == pytest.approx(float(gone.mean()), rel=1e-5)
    assert set(results) == {"mean_reward", "mean_dist", "var_dist", "mean_dist_foreground"}


def test_loss_that_is_no_number_stops_the_run(tmp_path):
    trainer = small_trainer(tmp_path)

    def poison(samples, device):
        state = type(trainer.pictures).start(trainer.pictures, samples, device)
        if trainer.episode == 5:
            state.target[:] = torch.nan
        return state

    trainer.pictures.start = poison
    with pytest.raises(
        DivergedError, match=r"a stroke became nan in episode 5.*00000003; wanted pictures of finite"
    ):
        trainer.run()
    *_, kept = checkpoint.checkpoints(tmp_path)
    state = checkpoint.read(kept / "networks.pt")
    assert all(bool(values.isfinite().all()) for values in state["learner"]["actor"].values())


def test_the_loss_that_went_first_is_named(tmp_path):
    trainer = small_trainer(tmp_path)
    update = trainer.learner.update

    def spoil(*states):
        told = update(*states)
        told["critic_loss"] = told["critic_loss"] / 0
        trainer.learner.actor.fc.weight.data.fill_(torch.nan)  # so that the next update cannot paint
        return told

    trainer.learner.update = spoil
    with pytest.raises(DivergedError, match=r"critic_loss became inf in episode 2.* no checkpoint yet"):
        trainer.run()
    assert not (tmp_path / "actor.safetensors").exists()


def test_training_paints_by_the_rule_and_with_the_network_that_it_is_told(tmp_path):
    """The reference code's step, written out: a stroke fades all; its colour comes under the mask alone."""
    torch.manual_seed(0)
    network = NeuralRenderer(128)
    torch.save(network.state_dict(), tmp_path / "renderer.pkl")
    settings = {
        "compositing": "seed",
        "renderer": "neural",
        "renderer_weights": str(tmp_path / "renderer.pkl"),
    }
    trainer = small_trainer(tmp_path, **settings, canvas_size=128, rmsize=2, nenv=2, batch_size=2)
    start = trainer.pictures.start(torch.tensor([0, 3]), torch.device("cpu"))
    action = torch.rand(2, 26, generator=torch.Generator().manual_seed(1))
    action[:, 10], action[:, 23] = 1, 1
    canvas = start.canvas
    with torch.no_grad():
        for vector, mask in zip(action.split(13, dim=1), (1 - start.mask, start.mask), strict=True):
            alpha = network(vector[:, :10])[:, None]
            canvas = canvas * (1 - alpha) + vector[:, 10:, None, None] * alpha * mask
        painted = trainer.learner.step(start, action).canvas
    assert torch.allclose(painted, canvas, atol=1e-4)
    trainer.learner.step(start, action.requires_grad_()).canvas.sum().backward()
    assert float(action.grad.abs().min(dim=0).values[:10].sum()) > 0
    trainer.save()
    assert LtpAgent.load(tmp_path / "actor.safetensors").compositing == "seed"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"renderer": "neural"}, "renderer_weights is None, wanted the file"),
        ({"renderer_weights": "x.pkl"}, "renderer_weights is x.pkl, wanted .* none if it is exact"),
        (
            {"renderer": "neural", "renderer_weights": "nowhere.pkl"},
            "--renderer-weights: nowhere.pkl cannot be",
        ),
        ({"compositing": "under"}, "compositing is 'under', wanted over or seed"),
        ({"critic_target": "batch"}, "critic_target is 'batch', wanted td or seed"),
    ],
)
def test_renderers_and_rules_that_there_are_not(tmp_path, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        small_trainer(tmp_path, **settings)


def test_resuming_another_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"--resume: .* holds no checkpoint"):
        small_trainer(tmp_path, resume=True)
    small_trainer(tmp_path, train_timesteps=2).run()
    with pytest.raises(InputError, match="made with another discount"):
        small_trainer(tmp_path, resume=True, discount=0.5)
    (kept,) = checkpoint.checkpoints(tmp_path)
    (kept / "networks.pt").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="corrupt"):
        small_trainer(tmp_path, resume=True)


def test_networks_of_another_run(tmp_path):
    first = small_trainer(tmp_path / "first", train_timesteps=4)
    first.run()
    (kept,) = checkpoint.checkpoints(tmp_path / "first")
    second = small_trainer(tmp_path / "second", load_path=str(kept))
    assert same(first.learner.actor.state_dict(), second.learner.actor.state_dict())
    assert second.episode == 0
    with pytest.raises(InputError, match="networks differ"):
        small_trainer(tmp_path / "third", load_path=str(kept), width=8)


def test_two_processes_end_with_equal_weights(tmp_path):
    port = 20000 + os.getpid() % 20000
    forks = multiprocessing.get_context("fork")  # which have torch already
    running = [
        forks.Process(target=one_of_two, args=(rank, port, tmp_path), daemon=True) for rank in range(2)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(timeout=120)
    found = [process.exitcode for process in running]
    for process in running:
        process.kill()
    assert found == [0, 0]
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    assert not torch.equal(ranks[0]["samples"], ranks[1]["samples"])  # each painted its own pictures
    parts = [part for part in ranks[0]["learner"] if not part.endswith("optimizer")]
    assert len(parts) == 8
    for part in parts:
        assert same(ranks[0]["learner"][part], ranks[1]["learner"][part]), part
    assert {path.name for path in checkpoint.checkpoints(tmp_path)[-1].iterdir()} == {
        "networks.pt",
        "process0.pt",
        "process1.pt",
    }
