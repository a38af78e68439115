"""LPIPS: what is said where it cannot be had, and where it is shown."""

from __future__ import annotations

import builtins
import csv
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.evaluate.lpips import load_lpips
from semantic_guidance.core.errors import InputError

pytestmark = pytest.mark.usefixtures("looks_once")


def stand_in(monkeypatch: pytest.MonkeyPatch, metric: Callable[..., Any]) -> None:
    """Put a metric in the place of torchmetrics'."""
    module = types.ModuleType("torchmetrics.image.lpip")
    module.LearnedPerceptualImagePatchSimilarity = metric
    for name in ("torchmetrics", "torchmetrics.image"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "torchmetrics.image.lpip", module)


class Difference:
    """A mean over all pairs that it was given since it was reset, as torchmetrics' are."""

    def __init__(self, net_type: str, normalize: bool) -> None:
        assert (net_type, normalize) == ("alex", True)
        self.values: list[float] = []

    def __call__(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        assert first.shape == second.shape == (1, 3, 128, 128)
        assert first.dtype == torch.float32
        self.values.append(float((first - second).abs().mean()))
        return torch.tensor(self.values).mean()

    def reset(self) -> None:
        self.values = []


def test_pictures_are_squashed_and_kept_apart(monkeypatch: pytest.MonkeyPatch):
    stand_in(monkeypatch, Difference)
    distance = load_lpips()
    grey = torch.full((3, 200, 100), 0.5)
    assert distance(grey, torch.ones(3, 64, 64)) == pytest.approx(0.5)
    assert distance(grey, torch.full((3, 64, 64), 0.25)) == pytest.approx(0.25)


def test_it_is_a_column_if_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    stand_in(monkeypatch, Difference)
    (tmp_path / "in").mkdir()
    Image.linear_gradient("L").resize((32, 32)).save(tmp_path / "in" / "grey.png")
    words = ["evaluate", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--strokes", "4"]
    assert main([*words, "--methods", "planner+draft", "--lpips"]) == 0
    assert "LPIPS" in capsys.readouterr().out.splitlines()[0]
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    value = document["pictures"][0]["results"]["planner+draft"]["lpips"]
    assert 0 < value < 1
    assert document["summary"]["methods"]["planner+draft"]["lpips"]["mean"] == value
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        assert float(next(csv.DictReader(file))["lpips"]) == value
    assert "LPIPS</dt>" in (tmp_path / "out" / "index.html").read_text()


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch):
    usual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("torchmetrics"):
            raise ModuleNotFoundError("No module named 'torchmetrics'")
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"wanted: pip install 'semantic-guidance\[metrics\]'"):
        load_lpips()


def test_without_a_network(monkeypatch: pytest.MonkeyPatch):
    def fails(*words: Any, **more: Any) -> None:
        raise OSError("<urlopen error [Errno -3] Temporary\nfailure in name resolution>")

    stand_in(monkeypatch, fails)
    with pytest.raises(
        InputError, match=r"weights cannot be fetched \(.*\), wanted a network, or .*alexnet-owt"
    ):
        load_lpips()
