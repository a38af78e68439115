"""Files of agents that are not what they say: each is one ValueError that names the file, at little cost."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from semantic_guidance.agents.dense.agent import DenseAgent
from semantic_guidance.agents.dense.files import save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.files import load_agent
from semantic_guidance.agents.ltp.agent import LtpAgent
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.window.agent import WindowAgent
from semantic_guidance.agents.window.files import save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS
from semantic_guidance.guidance.segmenter import Segmenter

INF, NAN, HUGE = float("inf"), float("nan"), 10**30


def changed(path: Path, values: dict[str, Any]) -> None:
    """Write other values into the config of a file's metadata; those of ``env`` beside the others in it."""
    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    config = json.loads(metadata["config"])
    if isinstance(values.get("env"), dict):
        values = {**values, "env": {**config["env"], **values["env"]}}
    save_file(load_file(path), path, {**metadata, "config": json.dumps({**config, **values})})


def refused(path: Path) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=f"^agent: {path} ") as told:
        load_agent(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    save_dense_actor(DenseActor(False, 5, (4, 4, 4, 4)), {}, tmp_path / "dense.safetensors")
    return tmp_path / "dense.safetensors"


@pytest.fixture
def vector(tmp_path: Path) -> Path:
    env = EnvConfig(bundle_size=2, compositing="seed")
    save_actor(
        Actor(env.channels, env.action_size, 4), env, 16, tmp_path / "vector.safetensors", windows=True
    )
    return tmp_path / "vector.safetensors"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        *(({"steps": bad}, "its steps is ") for bad in (INF, HUGE, 0, -3, "5", 2.0, True, None, [5])),
        *(
            ({"widths": bad}, "its widths is ")
            for bad in ([4, 4, 4], 4, "4444", [4, 4, 4, INF], [4, 4, 4, 0])
        ),
        ({"widths": [4, 4, 4, 4000]}, "wrong shapes"),
        ({"guided": "no"}, "its guided is 'no', wanted true or false"),
        ({"guided": True}, "wrong shapes"),
        ({"format": ["a"]}, "its format is "),
    ],
)
def test_dense_agents(dense: Path, values: dict[str, Any], wanted: str) -> None:
    changed(dense, values)
    assert wanted in refused(dense)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        *(({"canvas_size": bad}, "its canvas_size is ") for bad in (INF, 0, -1, 10**6, HUGE, "16", None)),
        *(({"width": bad}, "its width is ") for bad in (INF, 0, -1, 10**6, HUGE, "4")),
        ({"width": 3000}, "conv1.weight has [4, 9, 3, 3], the network [3000, 9, 3, 3]"),
        *(({"env": {"bundle_size": bad}}, "bundle_size is ") for bad in (INF, 0, HUGE, "2", True)),
        *(({"env": {"max_eps_len": bad}}, "max_eps_len is ") for bad in (INF, 0, HUGE)),
        ({"env": {"bundle_size": 10_000}}, "wrong shapes"),
        ({"env": {"use_gbp": "no"}}, "its use_gbp is 'no', wanted true or false"),
        ({"env": {"softness": INF}}, "softness is "),
        ({"env": {"compositing": 3}}, "compositing is "),
        ({"env": {"other": 3}}, "other"),
        ({"env": 3}, "its env is "),
        ({"windows": "no"}, "its windows is 'no', wanted true or false"),
    ],
)
def test_vector_agents(vector: Path, values: dict[str, Any], wanted: str) -> None:
    changed(vector, values)
    assert wanted in refused(vector)


@pytest.fixture
def window(tmp_path: Path) -> Path:
    save_window_actor(WindowActor(CHANNELS, (4, 4)), True, {}, tmp_path / "window.safetensors")
    return tmp_path / "window.safetensors"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        *(({"channels": bad}, "its channels is ") for bad in (INF, 0, -1, 9, 11, HUGE, "10", None, True)),
        *(({"widths": bad}, "its widths is ") for bad in ([], [4] * 65, 4, "44", None, {}, [4, 0], [[4], 4])),
        ({"widths": [4, 4.0]}, "its widths is 4.0"),
        ({"widths": [4, NAN]}, "its widths is NaN"),
        ({"widths": [10_001, 4]}, "its widths is 10001"),
        ({"widths": [3000, 3000]}, "stem.weight has [4, 10, 5, 5], the network [3000, 10, 5, 5]"),
        ({"widths": [4]}, "does not match the network in 'stages."),
        *(({"guided": bad}, "its guided is ") for bad in (1, None, "no", [])),
    ],
)
def test_window_agents(window: Path, values: dict[str, Any], wanted: str) -> None:
    changed(window, values)
    assert wanted in refused(window)


@pytest.mark.parametrize("missing", ["channels", "widths", "guided", "format"])
def test_settings_that_are_missing(window: Path, missing: str) -> None:
    with safe_open(str(window), framework="pt") as file:
        config = json.loads(file.metadata()["config"])
    del config[missing]
    save_file(load_file(window), window, {"config": json.dumps(config)})
    assert f"it has no '{missing}'" in refused(window)


def test_settings_that_are_unknown_are_left_alone(window: Path) -> None:
    changed(window, {"later": {"a": [1, {"b": None}]}, "training": 3})
    load_agent(window)


@pytest.mark.parametrize(
    "config", ["", "{", "3", "null", '"text"', "[]", '[["format", 3]]', "[" * 100_000, '{"a":' * 100_000]
)
def test_settings_that_are_none(window: Path, config: str) -> None:
    save_file(load_file(window), window, {"config": config})
    refused(window)


def test_metadata_that_are_too_long(window: Path) -> None:
    with safe_open(str(window), framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(window), window, {**metadata, "more": " " * 2**22})
    assert "its header is said to have " in refused(window)


@pytest.mark.parametrize("length", [0, 1, 2**22, 10**9, 2**63, 2**64 - 1])
def test_headers_of_another_length_than_they_say(window: Path, length: int) -> None:
    window.write_bytes(length.to_bytes(8, "little") + window.read_bytes()[8:])
    refused(window)


@pytest.mark.parametrize(
    "offsets", [[0, 0], [8, 0], [0, 10**12], [2**64, 2**64], [-1, 3], [0], "02", None, [0, 33], [4, 36]]
)
def test_numbers_that_are_elsewhere(window: Path, offsets: Any) -> None:
    data = window.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["head.bias"]["data_offsets"] = offsets
    text = json.dumps(header).encode()
    window.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    refused(window)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("pipe", "folder", "missing"):
        for read in (load_agent, WindowAgent.load, DenseAgent.load, LtpAgent.load, Segmenter.load):
            with pytest.raises(ValueError, match=f"{name}.safetensors"):
                read(tmp_path / f"{name}.safetensors")
    (tmp_path / "empty.safetensors").touch()
    assert "it is empty" in refused(tmp_path / "empty.safetensors")


@pytest.mark.parametrize("kind", [torch.complex64, torch.float64, torch.int64, torch.bool, torch.int8])
def test_numbers_of_another_kind(window: Path, kind: torch.dtype) -> None:
    with safe_open(str(window), framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(window)
    name = "norm.num_batches_tracked" if kind.is_complex or kind.is_floating_point else "norm.bias"
    save_file({**tensors, name: tensors[name].to(kind)}, window, metadata)
    assert f"numbers in '{name}'" in refused(window)


def test_bytes_that_no_list_names(vector: Path) -> None:
    with safe_open(str(vector), framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(vector)
    save_file({**tensors, "fc.weight": tensors["fc.weight"].to(torch.int8)}, vector, metadata)
    assert "int8 numbers in 'fc.weight'" in refused(vector)


def test_an_actor_of_the_reference_codes_rule_paints_whole_pictures(vector: Path) -> None:
    agent = load_agent(vector)
    assert isinstance(agent, LtpAgent)
    assert (agent.windows, agent.compositing) == (False, "seed")
    changed(vector, {"env": {"compositing": "over"}})
    agent = load_agent(vector)
    assert isinstance(agent, LtpAgent)
    assert (agent.windows, agent.compositing) == (True, "over")
