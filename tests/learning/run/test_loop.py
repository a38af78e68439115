"""The training loop: resuming, stopping, validating, several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from semantic_guidance.agents.ltp.files import load_actor
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.run import checkpoint
from semantic_guidance.learning.run.loop import DivergedError
from semantic_guidance.learning.run.processes import settle_threads
from tests.learning.toys import discs, small_trainer

settle_threads(1)

TWO_PROCESSES = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
import torch
from tests.learning.toys import discs, small_config
from semantic_guidance.learning.run.loop import Trainer
from semantic_guidance.learning.run.processes import processes, settle_threads
settle_threads(1)
with processes("cpu") as group:
    config = small_config(train_timesteps=6)
    trainer = Trainer(config, discs(8, 16, 0), discs(4, 16, 1), Path(sys.argv[1]), group)
    trainer.run()
    samples = trainer.replay.samples[: len(trainer.replay)]
    state = {"learner": trainer.learner.state_dict(), "samples": samples}
    torch.save(state, Path(sys.argv[1]) / f"rank{group.rank}.pt")
"""


def same(one: object, other: object) -> bool:
    """Whether nested dictionaries and lists of tensors are equal."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_resuming_is_as_if_it_had_not_stopped(tmp_path):
    whole = small_trainer(tmp_path / "whole", noise_factor=0.1)
    whole.run()
    small_trainer(tmp_path / "halves", noise_factor=0.1, train_timesteps=6).run()
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


def test_run_leaves_what_it_promises(tmp_path):
    trainer = small_trainer(tmp_path, keep=1)
    trainer.run()
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["00000006"]
    actor, env, size = load_actor(tmp_path / "actor.safetensors")
    assert (env, size) == (trainer.config.env, 16)
    assert actor.fc.out_features == 26
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    tags = events.Tags()
    assert {"train/actor_loss", "train/critic_loss", "train/whole_gan_loss"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("validate/mean_dist")] == [6, 12]
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
    with pytest.raises(DivergedError, match=r"a stroke became nan in episode 5.*00000003"):
        trainer.run()
    (kept,) = checkpoint.checkpoints(tmp_path)
    state = checkpoint.read(kept / "networks.pt")
    assert all(bool(values.isfinite().all()) for values in state["learner"]["actor"].values())


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
    script = tmp_path / "script.py"
    script.write_text(TWO_PROCESSES)
    root = Path(__file__).parents[3]
    running = []
    for rank in range(2):
        environment = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(20000 + os.getpid() % 20000),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(root),
        }
        command = [sys.executable, str(script), str(tmp_path), str(Path(__file__).parent)]
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    complaints = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], complaints
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
