"""Weights & Biases: what it is given, and what is said where it is missing."""

from __future__ import annotations

import builtins
import importlib.util
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.run.mirror import Mirror
from semantic_guidance.learning.run.processes import settle_threads
from tests.learning.toys import small_trainer

settle_threads(1)


class Run:
    """Keeps what it is given."""

    def __init__(self, **about: Any) -> None:
        self.about, self.rows, self.ended = about, [], None

    def log(self, row: dict[str, Any], step: int) -> None:
        self.rows.append((step, row))

    def finish(self, exit_code: int) -> None:
        self.ended = exit_code


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs of a package in place of wandb's."""
    begun: list[Run] = []
    fake = types.ModuleType("wandb")
    fake.Image = lambda pixels: ("picture", pixels)
    fake.Settings = lambda **values: values
    fake.Error = type("Error", (Exception,), {})
    fake.init = lambda **about: begun.append(Run(**about)) or begun[-1]
    monkeypatch.setitem(__import__("sys").modules, "wandb", fake)
    return begun


def test_it_has_the_numbers_and_pictures_of_tensorboard(runs: list[Run], tmp_path: Path):
    with Mirror("birds", tmp_path / "mine", {"seed": 3}) as mirror:
        small_trainer(tmp_path / "mine", train_timesteps=6).run(mirror)
    (run,) = runs
    assert (run.about["project"], run.about["name"], run.about["resume"]) == ("birds", "mine", None)
    assert run.about["config"] == {"seed": 3}
    assert run.ended == 0
    steps = [step for step, _ in run.rows]
    assert steps == sorted(steps)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "mine" / "log"))
    events.Reload()
    for name in events.Tags()["scalars"]:
        mine = [(step, row[name]) for step, row in run.rows if name in row]
        assert mine == [(e.step, pytest.approx(e.value, rel=1e-6)) for e in events.Scalars(name)]
    ((step, (_, pixels)),) = [
        (step, row["validate/paintings"]) for step, row in run.rows if "validate/paintings" in row
    ]
    assert (step, pixels.shape, pixels.dtype) == (6, (64, 64, 3), "uint8")


def test_a_resumed_run_is_the_same_there(runs: list[Run], tmp_path: Path):
    for resumed in (False, True, False):
        with Mirror("birds", tmp_path / "mine", {}, resumed):
            pass
    first, second, third = (run.about["id"] for run in runs)
    assert first == second != third
    assert [run.about["resume"] for run in runs] == [None, "allow", None]


def test_what_fails_is_told(runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ArithmeticError), Mirror("birds", tmp_path, {}):
        raise ArithmeticError
    assert runs[0].ended == 1
    import wandb

    def refuse(**about: Any) -> Run:
        raise wandb.Error("api_key not\nconfigured")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(InputError, match="--wandb: api_key not configured, wanted an account"):
        Mirror("birds", tmp_path, {})


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "wandb":
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"--wandb: .* wanted: pip install 'semantic-guidance\[wandb\]'"):
        Mirror("birds", tmp_path / "mine", {})
    assert not (tmp_path / "mine").exists()


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")
def test_offline_without_an_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    with Mirror("birds", tmp_path / "mine", {"seed": 3}) as mirror:
        mirror.add_scalar("train/loss", 0.5, 1)
        mirror.add_image("validate/paintings", torch.rand(3, 8, 8), 1)
    assert list((tmp_path / "mine" / "wandb").glob("offline-run-*/*.wandb"))
