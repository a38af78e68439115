"""What is wrong with a run is told before its pictures, which take long, are made."""

from __future__ import annotations

import builtins
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.settings import read_settings
from semantic_guidance.learning.config import PARTS
from semantic_guidance.learning.run import loop
from semantic_guidance.learning.run.loop import train
from tests.conftest import EXAMPLES
from tests.learning.toys import SMALL, discs

APG = {"method": "apg", "view_size": 16, "windows": 0.0, "updates": 1, "measured": 0}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings of a run for which no pictures can be made."""
    monkeypatch.setattr(loop, "open_banks", pytest.fail)
    return {**SMALL, "dataset": "folder", "data": str(EXAMPLES), "output": str(tmp_path)}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({**APG, "head": "dense"}, "--head dense"),
        ({**APG, "load_path": "nowhere"}, "--load-path: nowhere"),
        ({"load_path": "nowhere"}, "--load-path: nowhere"),
        ({"renderer": "neural", "renderer_weights": "nowhere"}, "--renderer-weights: nowhere"),
        ({**APG, "resume": True}, "--resume: .* holds no checkpoint"),
        ({"resume": True}, "--resume: .* holds no checkpoint"),
    ],
)
def test_what_is_wrong_with_the_settings(
    places: dict[str, Any], settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        train(**{**places, **settings})


@pytest.mark.parametrize("method", ["apg", "ddpg"])
def test_an_actor_of_another_shape(places: dict[str, Any], tmp_path: Path, method: str) -> None:
    from semantic_guidance.agents.ltp.episode import EnvConfig
    from semantic_guidance.agents.ltp.files import save_actor
    from semantic_guidance.agents.ltp.network import Actor

    env = EnvConfig(bundle_size=2)
    save_actor(Actor(env.channels, env.action_size, 4), env, 16, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"--load-path: .*conv1.weight of actor has shape \[4, 9, 3, 3\]"):
        train(**{**places, "method": method, "load_path": str(tmp_path / "a.safetensors")})


def test_a_package_that_is_not_there(places: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "wandb":
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="--wandb: Weights & Biases is not installed"):
        train(**places, wandb="birds")


def test_several_processes_do_not_each_make_the_same_run(
    places: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = loop.Processes(0, 2, torch.device("cpu"))
    monkeypatch.setattr(loop, "processes", lambda _: _Entered(group))
    with pytest.raises(InputError, match="--method apg runs in one process, got 2"):
        train(**places, **APG)


class _Entered:
    def __init__(self, group: loop.Processes) -> None:
        self.group = group

    def __enter__(self) -> loop.Processes:
        return self.group

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("settings", [APG, {"train_timesteps": 4, "save_interval": 1, "val_interval": 0}])
def test_a_resumed_runs_settings_begin_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(loop, "open_banks", lambda *_: (discs(4, 16, 0), discs(2, 16, 1)))
    values = {**SMALL, "dataset": "folder", "data": str(EXAMPLES), "output": str(tmp_path), **settings}
    folder = train(**values)
    train(**values, resume=True)
    written = folder / "config.toml"
    assert tomllib.loads(written.read_text())["run"]["resume"] is False
    again = train(**{**read_settings(written, PARTS), "exp_suffix": "again"})
    actors = [(each / "actor.safetensors").read_bytes() for each in (folder, again)]
    assert actors[0] == actors[1]
