"""What a job tells of its painting: seconds and boxes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.planner import Planner
from semantic_guidance.agents.problem import Problem
from semantic_guidance.apps.jobs import Job, run
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.plugins import AGENTS, GUIDES
from semantic_guidance.guidance.base import Prompt


@dataclass
class Clock:
    """Time that passes only where somebody says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class SlowGuide:
    """Needs ten seconds for what it is asked."""

    clock: Clock
    prompts: list[Prompt | None] = field(default_factory=list)

    def __call__(self, image: torch.Tensor, prompt: Prompt | None = None) -> Guidance:
        self.clock.now += 10
        self.prompts.append(prompt)
        mask = torch.zeros_like(image[:1])
        mask[:, 10:30, 20:40] = 1
        return Guidance.from_mask(mask if prompt is None or prompt.mask is None else prompt.mask)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowGuide]:
    """A guide that takes ten seconds and an agent that takes three, by a clock that nothing else moves."""
    clock = Clock()
    guide = SlowGuide(clock)

    class SlowPlanner(Planner):
        def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
            clock.now += 3
            return super().draft(problem, rng)

    monkeypatch.setattr(time, "perf_counter", clock)
    GUIDES.register("slow", lambda: guide)
    AGENTS.register("slow", SlowPlanner)
    yield guide
    GUIDES.unregister("slow")
    AGENTS.unregister("slow")


@pytest.mark.parametrize("given", ["nothing", "mask", "box"])
def test_seconds_include_those_of_given_guidance(
    slow: SlowGuide, photo: Path, photo_mask: Path, tmp_path: Path, given: str
) -> None:
    wish = {"nothing": {}, "mask": {"mask": photo_mask}, "box": {"box": (20.0, 10.0, 20.0, 20.0)}}[given]
    job = Job(
        photo, guide="slow", agent="slow", preset="draft", strokes=5, out=tmp_path, formats=("png",), **wish
    )
    result = run(job)
    assert result.seconds == {"guidance": 10, "plan": 3, "polish": 0, "export": 0, "total": 13}
    assert result.summary()["seconds"] == result.seconds
    (prompt,) = slow.prompts
    assert (prompt is not None and prompt.mask is not None) == (given == "mask")
    assert (prompt is not None and prompt.box is not None) == (given == "box")


def test_the_box_is_in_pixels_of_the_file(slow: SlowGuide, photo: Path, tmp_path: Path) -> None:
    job = Job(photo, guide="slow", preset="draft", agent="planner", strokes=5, out=tmp_path, formats=("png",))
    assert run(job).box == (20, 10, 20, 20)
