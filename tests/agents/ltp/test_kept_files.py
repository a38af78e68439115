"""Actors in the files that people keep: wrapped, with other things, of other programs, in other colours."""

from __future__ import annotations

import argparse
import collections
import io
import logging
import pathlib
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from semantic_guidance.agents.files import load_agent
from semantic_guidance.agents.ltp.checkpoint import load_ltp_actor, turned_colors
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.ltp.rollout import paint_with_ltp_actor
from semantic_guidance.apps.jobs import Job, run
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.pickles import read_pickle
from semantic_guidance.core.state_dicts import MARKS
from semantic_guidance.core.weights import find_network
from semantic_guidance.learning.networks.critic import Critic
from semantic_guidance.learning.networks.discriminator import Discriminator
from semantic_guidance.learning.run.start import read_networks
from semantic_guidance.painter.painter import Painter
from semantic_guidance.renderer.backends.neural import load_ltp_renderer

ACTOR = Actor(9, 65, width=2).eval()
STATE = ACTOR.state_dict()
OTHER = {name: values + 1 for name, values in STATE.items()}


def under(prefix, state=STATE):
    return {prefix + name: values for name, values in state.items()}


ARGUMENTS = argparse.Namespace(lr=np.float32(0.1), out=pathlib.Path("model/run"), gamma=[1, 2])
BESIDE = {
    "epoch": np.int64(3),
    "best": np.float64(0.5),
    "done": np.bool_(True),
    "args": ARGUMENTS,
    "history": collections.defaultdict(list, loss=[1.0, np.float32(2)]),
    "curve": np.array([[1.0, 2.0], [3.0, 4.0]]),
    "size": torch.Size([1, 2]),
    "kind": torch.float32,
    "device": torch.device("cpu"),
}
KEPT = {
    "numpy scalars": {**BESIDE, "state_dict": STATE},
    "actor": {"actor": STATE, "critic": Critic(12, 2).state_dict()},
    "model": {"epoch": 3, "model": STATE, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}},
    "net": {"net": STATE},
    "actor_state_dict": {"actor_state_dict": STATE, "actor_target_state_dict": OTHER},
    "follower": {"ema_actor": OTHER, "actor": STATE},
    "state in state": {"checkpoint": {"model": {"actor": under("module.")}}},
    "module.": under("module."),
    "module.module.": under("module.module."),
    "_orig_mod.": under("_orig_mod."),
    "mixed": under("module._orig_mod.module."),
    "mixed otherwise": {"state_dict": under("_orig_mod.module.")},
    "lightning": {
        "state_dict": {**under("actor."), **under("critic.", Critic(12, 2).state_dict())},
        "pytorch-lightning_version": "2.4.0",
        "callbacks": {},
    },
    "network.actor.": under("network.actor."),
}


def same(found: Actor, wanted: Actor = ACTOR) -> bool:
    seen = torch.rand(1, wanted.conv1.in_channels, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return torch.allclose(found(seen), wanted(seen), atol=1e-3)


@pytest.mark.parametrize("name", KEPT)
def test_actors_are_found(name, tmp_path):
    for n, suffix in enumerate((".pth", "")):
        torch.save(KEPT[name], tmp_path / f"a{suffix}", _use_new_zipfile_serialization=not n)
        assert same(load_ltp_actor(tmp_path / f"a{suffix}", "rgb"))


def test_what_lies_beside_is_read_as_plain_values(tmp_path):
    torch.save(BESIDE, tmp_path / "a.pt")
    found = read_pickle(tmp_path / "a.pt", "a checkpoint")
    assert torch.equal(found.pop("curve"), torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64))
    assert found.pop("args") == {"lr": pytest.approx(0.1), "out": "model/run", "gamma": [1, 2]}
    assert found == {
        "epoch": 3,
        "best": 0.5,
        "done": True,
        "history": {"loss": [1.0, 2.0]},
        "size": (1, 2),
        "kind": "torch.float32",
        "device": "cpu",
    }


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(kind, tmp_path):
    low = {name: values.to(kind) if values.is_floating_point() else values for name, values in STATE.items()}
    torch.save(low, tmp_path / "a.bin")
    found = load_ltp_actor(tmp_path / "a.bin", "rgb").state_dict()
    assert all(torch.equal(values, low[name].to(values.dtype)) for name, values in found.items())


def test_safetensors_of_others_and_ours_by_any_name(tmp_path):
    save_file(under("module."), tmp_path / "theirs.safetensors")
    assert same(load_agent(tmp_path / "theirs.safetensors").actor)
    assert read_networks(tmp_path / "theirs.safetensors").states.keys() == {"actor"}
    env = EnvConfig(use_gbp=True)
    save_actor(Actor(env.channels, env.action_size, 2), env, 16, tmp_path / "ours.safetensors")
    (tmp_path / "ours.safetensors").rename(tmp_path / "ours.ckpt")
    assert load_agent(tmp_path / "ours.ckpt").config == env
    assert read_networks(tmp_path / "ours.ckpt").env == env


class Lattice(torch.nn.Module):
    """A class of a person's own."""


class Colours(dict):
    """Another one."""


def zipped(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, b"weights")
    return made.getvalue()


def torchscript() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:  # what torch.jit.save writes, as its own reader lists it
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl", "version"):
            file.writestr(f"actor/{name}", b"")
    return made.getvalue()


def saved(content, **options) -> bytes:
    made = io.BytesIO()
    torch.save(content, made, **options)
    return made.getvalue()


TAR = b"actor.pkl".ljust(257, b"\0") + b"ustar\x0000" + bytes(248)
RENDERER = {name: torch.zeros(1) for name in MARKS["the renderer"]}
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 44\n"
FOREIGN = {
    "whole": (saved(torch.nn.Linear(2, 3)), "holds a whole network, torch.nn.modules.linear.Linear"),
    "whole, before 1.6": (saved(ACTOR, _use_new_zipfile_serialization=False), "holds a whole network"),
    "own class": (saved(Lattice()), "test_kept_files.Lattice"),
    "own dict": (
        saved({"a": Colours()}),
        "test_kept_files.Colours, which is not read",
    ),
    "counter": (saved({"a": collections.Counter("aab")}), "holds collections.Counter, which is not read"),
    "set": (saved({"classes": {1, 2}}), "holds builtins.set, which is not read"),
    "protocol 4": (saved(STATE, pickle_protocol=4), "pickle protocol 4"),
    "pickle": (pickle.dumps({"a": [1.0]}), "is a pickle, but not one of PyTorch's"),
    "lfs": (LFS, "is a pointer of Git LFS"),
    "drive": (b"<!DOCTYPE html><html><head><title>Google Drive - Virus scan", "is a web page"),
    "zip": (zipped("actor.pkl"), "is a ZIP archive with 'actor.pkl' in it"),
    "keras": (b"\x89HDF\r\n\x1a\n" + bytes(50), "is an HDF5 file, as Keras writes"),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "is a network in ONNX"),
    "tar": (TAR, "is a tar archive"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "is compressed with gzip"),
    "torchscript": (torchscript(), "is an archive of TorchScript"),
    "critic": (saved({"model": Critic(12, 2).state_dict()}), "holds the critic of the papers' code"),
    "wgan": (saved(Discriminator().state_dict()), "holds a discriminator of the papers' code"),
    "renderer": (saved(RENDERER), "holds the renderer of the papers' code"),
    "two": (saved({"first": STATE, "second": OTHER}), r"holds several such networks \('first', 'second'\)"),
    "channels": (saved(Actor(3, 1000, 2).state_dict()), "is an actor with 3 channels and 1000 outputs"),
}
SOUND = ("whole", "own class", "own dict", "set", "protocol 4", "pickle")


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_other_kinds_are_named(name, tmp_path):
    data, complaint = FOREIGN[name]
    path = tmp_path / "actor.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=complaint) as told:
        load_agent(path)
    assert "wanted" in str(told.value)
    assert "corrupt" not in str(told.value)
    assert "\n" not in str(told.value)
    if name in SOUND:
        assert "torch.save(network.state_dict(), FILE)" in str(told.value)


def test_renderers_are_found_and_others_named(tmp_path):
    torch.save({"model": under("module.", RENDERER), "epoch": np.int64(3)}, tmp_path / "a.pkl")
    assert (
        find_network(tmp_path / "a.pkl", "a renderer", MARKS["the renderer"]).state.keys() == RENDERER.keys()
    )
    torch.save(STATE, tmp_path / "b.pkl")
    with pytest.raises(ValueError, match="holds an actor of the papers' code, wanted a renderer"):
        load_ltp_renderer(tmp_path / "b.pkl")
    (tmp_path / "c.safetensors").write_bytes(LFS)
    with pytest.raises(ValueError, match=r"wanted an agent's weights .*git lfs pull"):
        load_agent(tmp_path / "c.safetensors")


@pytest.mark.parametrize("channels", [9, 10, 12, 13])
def test_actors_of_each_kind_of_guidance_paint(channels, tmp_path):
    """To canvas, target, step and places (9) the reference code adds focus (1), and mask with grid (3)."""
    outputs, both = (78, True) if channels > 10 else (65, False)
    torch.save(Actor(channels, outputs, 2).state_dict(), tmp_path / "a.pkl")
    agent = load_agent(tmp_path / "a.pkl", "rgb")
    assert agent.config.channels == channels
    mask = torch.zeros(1, 24, 32)
    mask[:, 6:18, 8:24] = 1
    guidance = Guidance.from_mask(mask)
    bundles = paint_with_ltp_actor(agent.actor, torch.rand(3, 24, 32), guidance, steps=2)
    assert [len(strokes) for strokes, _ in bundles] == ([3] * 4 if both else [5] * 2)
    painter = Painter(tmp_path / "a.pkl", "draft", strokes=12, size=64)
    assert len(painter.paint(torch.rand(3, 24, 32), guidance).strokes) == 12


def test_an_actor_that_learned_on_bgr_paints_rgb(tmp_path, caplog):
    """It makes of a picture, colours turned round, what it was taught to make of the turned picture."""
    torch.save(STATE, tmp_path / "actor.pkl")
    seen = torch.rand(2, 9, 32, 32)
    turned = torch.cat([seen[:, :3].flip(1), seen[:, 3:6].flip(1), seen[:, 6:]], 1)
    with torch.no_grad():
        wanted = ACTOR(turned).view(2, 5, 13)
        got = load_agent(tmp_path / "actor.pkl", "bgr").actor(seen).view(2, 5, 13)
    assert torch.allclose(got[..., :10], wanted[..., :10], atol=1e-5)
    assert torch.allclose(got[..., 10:], wanted[..., 10:].flip(-1), atol=1e-5)
    assert caplog.records == []
    with caplog.at_level(logging.WARNING):
        load_agent(tmp_path / "actor.pkl")
    assert "--agent-colors bgr" in caplog.text
    caplog.clear()
    torch.save(under("module."), tmp_path / "theirs.pkl")
    load_agent(tmp_path / "theirs.pkl")
    assert caplog.text == ""
    with pytest.raises(ValueError, match="colors is 'hsv', wanted one of rgb, bgr"):
        load_agent(tmp_path / "actor.pkl", "hsv")


def test_critics_and_discriminators_are_turned_too(tmp_path):
    critic, pair = Critic(12, 2).eval(), torch.rand(2, 2, 3, 32, 32)
    seen = torch.rand(1, 12, 32, 32)
    turned = torch.cat([*(seen[:, n : n + 3].flip(1) for n in (0, 3, 6)), seen[:, 9:]], 1)
    wgan = Discriminator()
    with torch.no_grad():
        wanted, score = critic(turned), wgan(pair[0].flip(1), pair[1].flip(1))
        critic.load_state_dict(turned_colors(critic.state_dict(), "critic"))
        wgan.load_state_dict(turned_colors(wgan.state_dict(), "whole_live"))
        assert torch.allclose(critic(seen), wanted, atol=1e-5)
        assert torch.allclose(wgan(pair[0], pair[1]), score, atol=1e-5)


def test_jobs_say_in_which_colours_an_agent_learned():
    job = Job("cat.jpg", agent="actor.pkl", agent_colors="bgr")
    assert Job.from_json(job.to_json()) == job
    with pytest.raises(InputError, match=r"agent_colors.* wanted --agent FILE with it"):
        run(Job("examples/chelsea.jpg", agent_colors="bgr", formats=("png",)))
