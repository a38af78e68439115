"""Agents whose strokes cannot be painted are named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.dense.files import save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.ltp.checkpoint import write_ltp_state
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.problem import Problem
from semantic_guidance.agents.window.files import save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.painter.painter import Painter
from semantic_guidance.renderer.objective import Segment


def picture() -> Tensor:
    return torch.linspace(0, 1, 3 * 24 * 32).view(3, 24, 32)


def painted(agent: object, image: Tensor, preset: str = "draft") -> int:
    painter = Painter(agent=agent, preset=preset, strokes=6, size=64)  # type: ignore[arg-type]
    return sum(len(layer.strokes) for layer in painter.paint(image, Guidance.none(24, 32)).layers)


@dataclass(frozen=True)
class Still:
    """Paints so many strokes, whose numbers are all the same."""

    count: int
    number: float
    guided: bool = False
    ground: None = None

    def view(self, guidance: Guidance) -> Guidance:
        return guidance

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        return Draft(torch.full((self.count, 13), self.number), (Segment(self.count, None),))


def wild(network: torch.nn.Module) -> torch.nn.Module:
    """Its weights are finite, its answers are not."""
    for values in network.state_dict().values():
        if values.is_floating_point():
            values.fill_(-60_000.0)
    return network


@pytest.mark.parametrize("preset", ["draft", "standard"])
@pytest.mark.parametrize("kind", ["window", "dense", "papers"])
def test_strokes_that_are_not_finite(kind: str, preset: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.pkl" if kind == "papers" else "a.safetensors")
    if kind == "window":
        save_window_actor(wild(WindowActor(CHANNELS, (2, 2, 2, 2))), False, {}, path)
    elif kind == "dense":
        save_dense_actor(wild(DenseActor(False, 5, (2, 2, 2, 2))), {}, path)
    else:
        write_ltp_state(wild(Actor(9, 65, 2)).state_dict(), path)
    with pytest.raises(ValueError, match=f"^agent: the strokes of {path} are not finite, wanted "):
        painted(path, picture(), preset)


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_an_agent_of_ones_own_is_named_by_its_class(number: float) -> None:
    with pytest.raises(ValueError, match=r"^agent: the strokes of Still are not finite"):
        painted(Still(3, number), picture())


def test_an_agent_that_paints_nothing() -> None:
    with pytest.raises(ValueError, match=r"^agent: Still paints nothing, wanted one that makes strokes"):
        painted(Still(0, 0.5), picture())
    with pytest.raises(ValueError, match=r"^agent: Still paints nothing, wanted one that makes strokes"):
        painted(Still(2, 0.0), picture())  # none of them can be seen
    assert painted(Still(2, 0.5), picture()) == 2


def test_where_nothing_is_to_paint_an_agent_may_paint_nothing() -> None:
    assert painted(Still(0, 0.5), torch.full((3, 24, 32), 0.4)) == 0
