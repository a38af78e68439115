"""Weights as bytes: within half a step, half the size, and files that are not what they say are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import load_actor, save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.int8 import quantised, restored
from semantic_guidance.core.weights import read_weights, write_weights

NUMBERS = st.floats(-65504, 65504, width=32)


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(64, 128, 3), nn.BatchNorm2d(128), nn.Linear(256, 256), nn.Linear(4, 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=4))
def test_each_number_is_within_half_a_step_of_its_channel(rows: list[list[float]]):
    weight = torch.tensor(rows)
    stored = quantised({"w": weight}, ["w"])
    assert (stored["w"].dtype, stored["w.scale"].dtype) == (torch.int8, torch.float16)
    assert int(stored["w"].int().abs().max()) <= 127
    step = weight.double().abs().amax(dim=1) / 127
    # A scale is a half: the one at or above a 127th of the channel's largest number.
    coarsest = torch.maximum(step * (1 + 2**-10), step + 2.0**-24)
    assert bool(((restored(stored, ["w"])["w"] - weight).abs().amax(dim=1) <= coarsest / 2 * 1.00001).all())


def test_only_large_convolutions_and_linear_layers_are_bytes(tmp_path: Path):
    network = small()
    write_weights(network, {"format": "f"}, tmp_path / "a.safetensors", int8=True)
    kinds = {name: values.dtype for name, values in load_file(tmp_path / "a.safetensors").items()}
    assert {name for name, kind in kinds.items() if kind == torch.int8} == {"0.weight", "2.weight"}
    assert kinds["0.weight.scale"] == kinds["1.weight"] == kinds["3.weight"] == torch.float16
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["int8"]) == ["0.weight", "2.weight"]
    _, state = read_weights(tmp_path / "a.safetensors", "f", "weights")
    assert state.keys() == network.state_dict().keys()
    for name, values in network.state_dict().items():
        assert torch.allclose(state[name].float(), values.float(), atol=0.005)


def test_without_being_asked_weights_are_halves_as_before(tmp_path: Path):
    network = small()
    write_weights(network, {"format": "f"}, tmp_path / "a.safetensors")
    stored = load_file(tmp_path / "a.safetensors")
    assert stored.keys() == network.state_dict().keys()
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert file.metadata().keys() == {"config"}
    _, state = read_weights(tmp_path / "a.safetensors", "f", "weights")
    assert torch.equal(state["0.weight"], network[0].weight.half().float())


def test_an_actor_of_the_papers_is_a_megabyte_for_each_million(tmp_path: Path):
    env = EnvConfig(use_bilevel=True, use_gbp=True)
    actor = Actor(env.channels, env.action_size, 64).eval()
    save_actor(actor, env, 128, tmp_path / "a.safetensors", int8=True)
    assert 11.4e6 < (tmp_path / "a.safetensors").stat().st_size < 11.6e6
    loaded = load_actor(tmp_path / "a.safetensors")
    assert (loaded.env, loaded.size) == (env, 128)
    views = torch.rand(1, env.channels, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(loaded.actor(views), actor(views), atol=0.002)


def harmed(what: str, stored: dict[str, Tensor], listed: object) -> tuple[dict[str, Tensor], object]:
    name = "0.weight"
    changes = {
        "no scale": {f"{name}.scale": None},
        "no weight": {name: None},
        "scale of singles": {f"{name}.scale": stored[f"{name}.scale"].float()},
        "scale of bytes": {f"{name}.scale": torch.ones(128, dtype=torch.int8)},
        "scale of another length": {f"{name}.scale": torch.ones(3).half()},
        "scale of two axes": {f"{name}.scale": torch.ones(128, 1).half()},
        "scale that is infinite": {f"{name}.scale": torch.full((128,), torch.inf).half()},
        "scale that is no number": {f"{name}.scale": torch.full((128,), torch.nan).half()},
        "weight of halves": {name: torch.zeros(128, 3, 3, 3).half()},
        "weight without axes": {name: torch.tensor(3, dtype=torch.int8)},
    }
    lists = {"list of numbers": [1], "list that is none": {"a": 1}, "list with twice the same": [name, name]}
    kept = {**stored, **changes.get(what, {})}
    return {key: values for key, values in kept.items() if values is not None}, lists.get(what, listed)


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("no scale", "it has no scale of '0.weight'"),
        ("no weight", "it has no '0.weight'"),
        ("scale of singles", "the scale of '0.weight' is float32 [128], wanted float16 [128]"),
        ("scale of bytes", "the scale of '0.weight' is int8 [128], wanted float16 [128]"),
        ("scale of another length", "the scale of '0.weight' is float16 [3], wanted float16 [128]"),
        ("scale of two axes", "the scale of '0.weight' is float16 [128, 1], wanted"),
        ("scale that is infinite", "it holds weights that are not finite"),
        ("scale that is no number", "it holds weights that are not finite"),
        ("weight of halves", "'0.weight' is float16 [128, 3, 3, 3], wanted int8 [out, ...]"),
        ("weight without axes", "'0.weight' is int8 [], wanted int8 [out, ...]"),
        ("list of numbers", "its int8 is not a list of names"),
        ("list that is none", "its int8 is not a list of names"),
        ("list with twice the same", "it has no scale of '0.weight'"),
    ],
)
def test_files_that_are_not_what_they_say(what: str, complaint: str, tmp_path: Path):
    path = tmp_path / "a.safetensors"
    write_weights(small(), {"format": "f"}, path, int8=True)
    stored, listed = harmed(what, load_file(path), ["0.weight", "2.weight"])
    save_file(stored, path, {"config": '{"format": "f"}', "int8": json.dumps(listed)})
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        read_weights(path, "f", "weights")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{path} cannot be read, wanted weights (")


def test_a_list_that_is_not_json(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    save_file({"w": torch.zeros(1)}, path, {"config": '{"format": "f"}', "int8": "[" * 100_000})
    with pytest.raises(ValueError, match="cannot be read, wanted weights"):
        read_weights(path, "f", "weights")
