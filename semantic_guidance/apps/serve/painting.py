"""In a worker: paintings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from semantic_guidance.agents.watching import Watch
from semantic_guidance.apps.hand import DIALS, make_style
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.jobs import run
from semantic_guidance.apps.options import named
from semantic_guidance.apps.result import Result
from semantic_guidance.apps.serve.sketching import Onlooker
from semantic_guidance.apps.serve.workers import Desk
from semantic_guidance.core.files import replacing
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.export.html import page_data
from semantic_guidance.images.arrays import resample_array, to_bytes
from semantic_guidance.images.files import load_picture
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.variations import variations
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer.backends.cpu.backend import CpuBackend
from semantic_guidance.renderer.backends.cpu.threads import set_threads

OFTEN = 0.1
"""Seconds between two reports of progress."""

THUMBNAIL = 320
"""Pixels of its longer side."""

NAMES = ("strokes.json", "view.json", "guidance.json", "thumbnail.jpg")
"""Files of a painting that is done."""


def ready_to_paint() -> None:
    """Load the kernels and the networks, by painting a picture of nothing."""
    CpuBackend().warm_up()
    grey = torch.full((3, 24, 32), 0.5, dtype=torch.float32)
    grey[:, 6:18, 8:24] = 0.9
    for preset in ("draft", "standard"):
        painter = Painter(preset=preset, strokes=4, size=32)
        painter.paint(grey, Guidance.none(24, 32), watch=_Glance())


class _Glance(Watch):
    """Ends a painting as soon as it begins."""

    @property
    def stopped(self) -> bool:
        """See `Watch`."""
        return True


def paint(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Paint a picture, as `apps.jobs.run` does.

    Args:
        task: the ``job`` as JSON values, its files by path; the ``folder`` for the painting's files, where
            ``guidance.json`` may lie already; ``frame`` of the picture; ``variation`` or None and ``count``;
            the ``threads`` that it may use.
        desk: of the worker.

    Raises:
        InputError: something is wrong with the job.
    """
    set_threads(task["threads"])
    folder = Path(task["folder"])
    job, changes = _job(task["job"], folder, task["frame"]), {}
    if task.get("variation") is not None:
        changes = _varied(job, task["variation"], task["count"])
    result = run(replace(job, **changes), _telling(desk), Onlooker(desk))
    stopped = desk.stopped()
    told = {**_written(result.painting, folder), **_told(result), "changes": changes}
    return {**told, "stopped": stopped}


def repaint_region(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Paint over a region of a painting."""
    raise NotImplementedError


def _job(values: dict[str, Any], folder: Path, frame: int | None) -> Job:
    """The job of an order, whose files are the studio's own."""
    own: dict[str, Any] = {"out": str(folder), "output": "strokes", "formats": ["json"], "overwrite": True}
    if not values.get("baseline"):
        own["guidance"] = str(folder / "guidance.json")
    if frame is not None:
        own["frame"] = frame
    return Job.from_json(json.dumps({**values, **own}))


def _varied(job: Job, number: int, count: int) -> dict[str, Any]:
    """The options of one of several variations of a job, as `apps.jobs.run_variations` makes them."""
    picture = load_picture(job.image, job.frame)
    style = make_style(job, picture.image, agent=job.agent is not None)
    fixed = [name for name in DIALS if getattr(job, name) is not None]
    each = named(lambda: variations(style, count, job.seed, fixed))[number]
    options: dict[str, Any] = {"seed": each.seed, **each.dials}
    if each.dials:
        options["style"] = job.style or style.name
    return options


def _telling(desk: Desk) -> Callable[[str, float], None]:
    """Reports progress, but not too often."""
    last, before = 0.0, ""

    def tell(stage: str, share: float) -> None:
        nonlocal last, before
        now = time.monotonic()
        if stage != before or now - last >= OFTEN:
            last, before = now, stage
            desk.tell("progress", {"stage": stage, "share": round(share, 4)})

    return tell


def _written(painting: Painting, folder: Path) -> dict[str, Any]:
    """The painting's other files; what is known of it."""
    drawing = painting.drawing
    with replacing(folder / "view.json") as draft:
        draft.write_text(json.dumps(page_data(drawing), allow_nan=False), encoding="ascii")
    shrink = min(1.0, THUMBNAIL / max(drawing.width, drawing.height))
    size = max(1, round(drawing.height * shrink)), max(1, round(drawing.width * shrink))
    with replacing(folder / "thumbnail.jpg") as draft:
        pixels = to_bytes(resample_array(drawing.canvas, *size).clip(0, 1))
        Image.fromarray(pixels).save(draft, "JPEG", quality=88)
    return {
        "strokes": len(drawing.strokes),
        "width": drawing.width,
        "height": drawing.height,
        "shares": [round(share, 4) for share in painting.shares],
    }


def _told(result: Result) -> dict[str, Any]:
    """What is told of a painting that is done."""
    errors = {
        "everywhere": result.errors.everywhere,
        "foreground": result.errors.foreground,
        "background": result.errors.background,
    }
    notes = [note.replace(str(result.job.image), result.job.image.name) for note in result.notes]
    return {"errors": errors, "style": result.style, "notes": notes}
