"""Files of agents that are not what they say: each is one ValueError that names the file, at little cost."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from semantic_guidance.agents.dense.files import save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.files import load_agent
from semantic_guidance.agents.ltp.agent import LtpAgent
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor

INF, HUGE = float("inf"), 10**30


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
