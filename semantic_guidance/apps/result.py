"""What became of jobs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from semantic_guidance.apps.files import plotted
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.options import Box
from semantic_guidance.core.options import to_json
from semantic_guidance.images.metrics import Errors
from semantic_guidance.painting.painting import Painting

BARE_SIZE = 1024
"""Pixels of the longer side on which bare canvas is measured."""


@dataclass(frozen=True, eq=False)
class Result:
    """What became of a job.

    Attributes:
        job: what was asked for.
        painting: the painting.
        outputs: the file for each format, and for ``guidance``.
        errors: of the painting, at 128 x 128.
        style: in which it was painted.
        box: of the first object, in pixels of the file, if there is one.
        seconds: by stage: ``guidance``, ``plan``, ``polish``, ``export``, and ``total``.
        notes: what a person should be told, of the photograph and of the mask; mostly nothing.
    """

    job: Job
    painting: Painting
    outputs: dict[str, Path]
    errors: Errors
    style: str
    box: Box | None
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()

    @cached_property
    def bare_share(self) -> float:
        """Of an opaque painting, the share of bare canvas, see `Drawing.bare_share`; 0 of others."""
        opaque = self.job.opaque or plotted(self.job.formats)
        return self.painting.drawing.bare_share(BARE_SIZE) if opaque else 0.0

    @property
    def not_needed(self) -> int:
        """How many of the strokes that were asked for were left out, as they would not have helped."""
        return max(0, self.job.strokes - len(self.painting.strokes))

    def summary(self) -> dict[str, Any]:
        """The result as JSON values: what ``paint --json`` prints."""
        return {
            "input": str(self.job.image),
            "outputs": {name: str(path) for name, path in self.outputs.items()},
            "style": self.style,
            "strokes": len(self.painting.strokes),
            "not_needed": self.not_needed,
            "foreground_strokes": self.painting.foreground_strokes,
            "mse": self.errors.everywhere,
            "mse_foreground": self.errors.foreground,
            "mse_background": self.errors.background,
            "box": None if self.box is None else [round(number, 2) for number in self.box],
            "seconds": {stage: round(value, 4) for stage, value in self.seconds.items()},
        }


@dataclass(frozen=True, eq=False)
class Variations:
    """What became of a job that was done several times.

    Attributes:
        results: of the variations; their jobs say how they differ.
        sheet: a picture of all of them, with their seeds.
    """

    results: tuple[Result, ...]
    sheet: Path

    def changes(self, number: int) -> dict[str, Any]:
        """The options of a variation's job that are not those of the first, and its seed."""
        first, own = to_json(self.results[0].job), to_json(self.results[number].job)
        return {"seed": self.results[number].job.seed} | {
            name: value for name, value in own.items() if value != first.get(name)
        }

    def summary(self) -> dict[str, Any]:
        """The results as JSON values: what ``paint --variations N --json`` prints."""
        several = [{"options": self.changes(n), **result.summary()} for n, result in enumerate(self.results)]
        return {"input": str(self.results[0].job.image), "sheet": str(self.sheet), "variations": several}
