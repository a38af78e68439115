"""Networks to start from and to export: ours, and the reference code's against its networks made anew."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import load_actor, save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.apps.cli.main import main
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.apg.run import HEADS, new_network
from semantic_guidance.learning.run import checkpoint
from semantic_guidance.learning.run.loop import Trainer
from semantic_guidance.learning.run.processes import settle_threads
from semantic_guidance.learning.run.start import read_networks
from tests.learning.papers import PapersDiscriminator, PapersResNet, papers_networks, save_papers, shake
from tests.learning.toys import small_config, small_trainer

settle_threads(1)
SEMANTIC = {"width": 4, "bundle_size": 5}
BASELINE = {**SEMANTIC, "use_bilevel": False, "use_gbp": False}


@torch.no_grad()
def same_answers(trainer: Trainer, networks: tuple[nn.Module, ...], foreground: bool) -> bool:
    """Whether a run's networks answer as the reference code's do, targets included."""
    actor, critic, wgan, wgan_bg = networks
    learner, generator = trainer.learner, torch.Generator().manual_seed(1)
    seen = torch.rand(2, critic.conv1.in_channels, 128, 128, generator=generator)
    pairs = {"whole": wgan_bg} | ({"foreground": wgan} if foreground else {})
    answers: list[tuple[Tensor, Tensor]] = [
        (ours.eval()(seen[:, 3:]), actor(seen[:, 3:])) for ours in (learner.actor, learner.target_actor)
    ]
    answers += [(ours(seen), critic(seen)[:, 0]) for ours in (learner.critic, learner.target_critic)]
    for name, theirs in pairs.items():
        own = learner.discriminators[name]
        target, canvas = seen[:, :6].split(3, dim=1)
        answers += [
            (ours(target, canvas), theirs(seen[:, :6])[:, 0]) for ours in (own.live, own.target_network)
        ]
    return all(torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4) for ours, theirs in answers)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_run_starts_from_the_reference_codes_newest_networks(tmp_path, capsys, prefix):
    save_papers(papers_networks(True, width=8), tmp_path / "seed", 0)  # older, of another width
    networks = papers_networks(True, width=4)
    save_papers(networks, tmp_path / "seed", 200)
    for path in (tmp_path / "seed").glob("*_0020*.pkl"):
        state = torch.load(path, weights_only=True)
        torch.save({prefix + name: values for name, values in state.items()}, path)
    trainer = small_trainer(tmp_path / "run", load_path=str(tmp_path / "seed"), train_timesteps=4, **SEMANTIC)
    assert same_answers(trainer, networks, foreground=True)
    assert capsys.readouterr().err == ""
    trainer.run()  # and goes on
    assert not same_answers(trainer, networks, foreground=True)


def test_a_baseline_rewards_by_the_discriminator_of_whole_pictures(tmp_path):
    networks = papers_networks(False, width=4, level=5)
    save_papers(networks, tmp_path / "seed", 400)
    trainer = small_trainer(tmp_path / "run", load_path=str(tmp_path / "seed"), **BASELINE)
    assert set(trainer.learner.discriminators) == {"whole"}
    assert same_answers(trainer, networks, foreground=False)


def test_learning_to_paints_files_have_no_numbers(tmp_path):
    networks = papers_networks(False, width=4, level=5)
    folder = tmp_path / "ltp"
    folder.mkdir()
    for name, network in zip(("actor", "critic", None, "wgan"), networks, strict=True):
        if name:
            torch.save(network.state_dict(), folder / f"{name}.pkl")
    trainer = small_trainer(tmp_path / "run", load_path=str(folder), **BASELINE)
    assert same_answers(trainer, networks, foreground=False)


def test_the_analytic_trainer_starts_from_them_too(tmp_path):
    networks = papers_networks(True, width=4)
    save_papers(networks, tmp_path / "seed", 200)
    config = small_config(method="apg", load_path=str(tmp_path / "seed"), **SEMANTIC)
    actor = new_network(config, HEADS["vector"]).eval()
    seen = torch.rand(1, 13, 128, 128)
    with torch.no_grad():
        assert torch.allclose(actor(seen), networks[0](seen), atol=1e-5)
    with pytest.raises(InputError, match="--load-path: "):
        new_network(small_config(method="apg", load_path=str(tmp_path / "seed"), width=8), HEADS["vector"])


def test_what_is_missing_begins_afresh(tmp_path, capsys):
    networks = papers_networks(True, width=4)
    save_papers(networks, tmp_path / "seed", 200)
    (tmp_path / "seed" / "wgan_00201.pkl").unlink()
    fresh = small_trainer(tmp_path / "fresh", **SEMANTIC).learner
    path = tmp_path / "seed" / "actor_00200.pkl"
    some = small_trainer(tmp_path / "some", load_path=str(path.parent), **SEMANTIC).learner
    assert capsys.readouterr().err == f"{path.parent} has no whole discriminator: begun afresh\n"
    alone = small_trainer(tmp_path / "alone", load_path=str(path), **SEMANTIC).learner
    wanted = f"{path} has no critic, whole discriminator, foreground discriminator: begun afresh\n"
    assert capsys.readouterr().err == wanted
    for learner in (some, alone):
        assert torch.equal(learner.actor.fc.weight, networks[0].fc.weight)
        whole = learner.discriminators["whole"].live.conv0.weight_v
        assert torch.equal(whole, fresh.discriminators["whole"].live.conv0.weight_v)
    assert torch.equal(some.critic.fc.weight, networks[1].fc.weight)
    assert torch.equal(alone.critic.fc.weight, fresh.critic.fc.weight)
    assert torch.equal(alone.target_critic.fc.weight, fresh.critic.fc.weight)


@pytest.mark.parametrize("where", ["file", "folder"])
def test_our_actors_file_begins_a_run(tmp_path, where):
    env = EnvConfig(max_eps_len=7, use_bilevel=True, use_gbp=True)
    actor = Actor(env.channels, env.action_size, width=4)
    save_actor(actor, env, 16, tmp_path / "actor.safetensors")
    path = tmp_path / "actor.safetensors" if where == "file" else tmp_path
    learner = small_trainer(tmp_path / "run", load_path=str(path), **SEMANTIC).learner
    for ours in (learner.actor, learner.target_actor):
        assert torch.equal(ours.fc.weight, actor.fc.weight.half().float())
    assert all(parameter.requires_grad for parameter in learner.actor.parameters())


def test_a_runs_folder_gives_its_newest_checkpoint(tmp_path):
    first = small_trainer(tmp_path / "first", train_timesteps=6, save_interval=2)
    first.run()
    second = small_trainer(tmp_path / "second", load_path=str(tmp_path / "first"))
    for name, values in first.learner.target_critic.state_dict().items():
        assert torch.equal(second.learner.target_critic.state_dict()[name], values)
    assert len(checkpoint.checkpoints(tmp_path / "first")) == 2


class Evil:
    """Its pickle makes a folder when it is read carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_what_cannot_be_started_from(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "actor_00000.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    save_papers(papers_networks(False, width=4, level=5), tmp_path / "baseline", 0)
    complaints = {
        "missing": r"missing: there is no such file, wanted the folder of a checkpoint",
        "empty": r"empty: it holds no networks, wanted the folder of a checkpoint",
        "evil": r"actor_00000.pkl is corrupt or not a checkpoint, wanted a checkpoint of the papers",
        "baseline": r"conv1.weight of actor has shape \[4, 9, 3, 3\], wanted \[4, 13, 3, 3\]",
    }
    for name, complaint in complaints.items():
        with pytest.raises(InputError, match=complaint):
            small_trainer(tmp_path / "run", load_path=str(tmp_path / name), **SEMANTIC)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("learner", "complaint"),
    [
        ({}, "it has no actor"),
        ({"actor": 3}, "its actor is not a state dict"),
        ({"actor": {"a": 3}}, "'a' of its actor is not a tensor"),
        ({"actor": {"conv1.weight": "x"}}, "'conv1.weight' of its actor is not a tensor"),
        ({"actor": {"a": torch.tensor(math.nan)}}, "'a' of its actor is not finite"),
        ({"actor": {"a": torch.zeros(1)}, "critic": []}, "its critic is not a state dict"),
        ([], "'list' object has no attribute 'items'"),
    ],
)
def test_odd_checkpoints_are_refused(tmp_path, learner, complaint):
    content = {"config": small_config().to_json(), "learner": learner, "episode": 1}
    checkpoint.write(tmp_path / "networks.pt", content)
    with pytest.raises(InputError) as told:
        read_networks(tmp_path)
    wanted = f"cannot be read, wanted a checkpoint of a training run ({complaint})"
    assert str(told.value) == f"{tmp_path / 'networks.pt'} {wanted}"


def loaded(network: nn.Module, path: Path) -> nn.Module:
    """The network with the tensors of a file, as the reference code reads them."""
    network.load_state_dict(torch.load(path, weights_only=True))
    return network


def test_the_reference_code_reads_what_is_exported(tmp_path, capsys):
    trainer = small_trainer(tmp_path / "run", width=64, bundle_size=5)
    learner = trainer.learner
    for n, network in enumerate((learner.actor, learner.critic)):
        shake(network, n)
    for n, each in enumerate(learner.discriminators.values()):
        shake(each.live, n + 2)
    for follower in (learner.target_actor, learner.target_critic):
        live = learner.actor if follower is learner.target_actor else learner.critic
        follower.load_state_dict(live.state_dict())
    for each in learner.discriminators.values():
        each.target_network.load_state_dict(each.live.state_dict())
    kept = trainer.save()
    out = tmp_path / "out"
    assert main(["export-agent", str(kept), "--to", "seed", "--out", str(out)]) == 0
    names = ["actor_00000.pkl", "critic_00000.pkl", "wgan_00000.pkl", "wgan_00001.pkl"]
    said = capsys.readouterr()
    assert said.out.split() == [str(out / name) for name in names]
    assert "--compositing over" in said.err
    assert "16 x 16 pixels" in said.err
    networks = (
        loaded(PapersResNet(13, 78, 64, True), out / names[0]).eval(),
        loaded(PapersResNet(16, 1, 64, False), out / names[1]),
        loaded(PapersDiscriminator(), out / names[2]),
        loaded(PapersDiscriminator(), out / names[3]),
    )
    assert same_answers(trainer, networks, foreground=True)


def test_an_actor_alone_is_exported_alone(tmp_path, capsys):
    env = EnvConfig(compositing="seed")
    actor = Actor(env.channels, env.action_size).eval()
    save_actor(actor, env, 128, tmp_path / "actor.safetensors")
    assert main(["export-agent", str(tmp_path / "actor.safetensors"), "--out", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["actor_00000.pkl"]
    assert capsys.readouterr().err.count("\n") == 1  # that its train.py needs a critic
    theirs = loaded(PapersResNet(9, 65, 64, True), tmp_path / "out" / "actor_00000.pkl").eval()
    seen = torch.rand(1, 9, 128, 128)
    with torch.no_grad():
        assert torch.allclose(theirs(seen), actor(seen), atol=5e-3)  # our file is in half precision


def test_a_baselines_discriminator_stands_for_both(tmp_path):
    from semantic_guidance.learning.run.ltp_files import read_ltp_folder, write_ltp_folder

    network = PapersDiscriminator()
    write_ltp_folder({"actor": Actor(9, 65).state_dict(), "whole_live": network.state_dict()}, tmp_path)
    found = read_ltp_folder(tmp_path)
    assert set(found) == {"actor", "whole_live", "foreground_live"}
    assert torch.equal(found["whole_live"]["conv4.bias"], found["foreground_live"]["conv4.bias"])


def test_what_the_reference_code_could_not_load_is_refused(tmp_path, capsys):
    env = EnvConfig()
    save_actor(Actor(env.channels, env.action_size, width=8), env, 128, tmp_path / "actor.safetensors")
    env = EnvConfig(use_bilevel=True, no_alignment=True)
    save_actor(Actor(env.channels, env.action_size), env, 128, tmp_path / "unaligned.safetensors")
    for path, complaint in (
        (tmp_path / "unaligned.safetensors", "it learned with --no-alignment"),
        (
            tmp_path / "actor.safetensors",
            "the actor's width is 8, wanted 64: the reference code has no other",
        ),
        (tmp_path / "nowhere", "there is no such file"),
    ):
        assert main(["export-agent", str(path), "--out", str(tmp_path / "out")]) == 2
        assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_actor_in_half_the_bytes_answers_alike(tmp_path, capsys):
    env = EnvConfig(max_eps_len=7)
    actor = Actor(env.channels, env.action_size).eval()
    save_actor(actor, env, 64, tmp_path / "actor.safetensors", any_ground=True, windows=True)
    assert main(["export-agent", str(tmp_path), "--to", "int8", "--out", str(tmp_path / "small")]) == 0
    path = tmp_path / "small" / "actor.safetensors"
    assert capsys.readouterr().out.split() == [str(path)]
    assert path.stat().st_size < 0.53 * (tmp_path / "actor.safetensors").stat().st_size
    small = load_actor(path)
    assert (small.env, small.size, small.any_ground, small.windows) == (env, 64, True, True)
    seen = torch.rand(1, 9, 64, 64)
    assert torch.allclose(small.actor(seen), actor(seen), atol=0.02)
    assert main(["export-agent", str(tmp_path / "none"), "--to", "int8", "--out", str(tmp_path / "no")]) == 2
    assert not (tmp_path / "no").exists()
