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
from torch import Tensor

from semantic_guidance.agents.watching import Watch
from semantic_guidance.apps.brush import make_brush
from semantic_guidance.apps.hand import DIALS, make_style
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.jobs import run, varied_options
from semantic_guidance.apps.options import named
from semantic_guidance.apps.repainting import photograph_of
from semantic_guidance.apps.result import Result
from semantic_guidance.apps.room import check_painting_room
from semantic_guidance.apps.serve.desk import Desk
from semantic_guidance.apps.serve.looking import picture_of
from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.apps.serve.sketching import Onlooker
from semantic_guidance.apps.work import MAX_WORK, work
from semantic_guidance.core.files import replacing
from semantic_guidance.core.guidance import KINDS, Guidance
from semantic_guidance.export.html import page_data
from semantic_guidance.export.strokes_json import read_strokes
from semantic_guidance.guidance.base import Prompt
from semantic_guidance.guidance.files import read_guidance
from semantic_guidance.images.arrays import resample_array, to_bytes
from semantic_guidance.images.files import load_picture
from semantic_guidance.images.metrics import Errors, painting_errors
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.repaint import check_aspect, repaint
from semantic_guidance.painter.styles import Style
from semantic_guidance.painter.variations import variations
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer.backends.cpu.backend import CpuBackend
from semantic_guidance.renderer.backends.cpu.threads import set_threads

WHERE = "the painting"

REGION = 16_000_000
"""Pixels of the picture of a region at most."""

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


def _use_threads(count: int) -> None:
    """Use so many threads, here and in torch."""
    set_threads(count)
    torch.set_num_threads(count)


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
    _use_threads(task["threads"])
    folder = Path(task["folder"])
    job, changes = _job(task["job"], folder, task["frame"]), {}
    if task.get("variation") is not None:
        changes = _varied(job, task["variation"], task["count"])
    result = run(replace(job, **changes), _telling(desk), Onlooker(desk))
    stopped = desk.stopped()
    told = {**_written(result.painting, folder), **_told(result), "changes": changes}
    _tell_shares(result.painting, folder / "guidance.json")
    return {**told, "stopped": stopped}


def repaint_region(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Paint over a region of a painting, as ``semantic-guidance repaint`` does.

    Args:
        task: as for `paint`; ``before.json`` in the folder has the painting's strokes, ``region.png`` is
            bright where to paint; ``erase`` is whether strokes there are taken away first.
        desk: of the worker.

    Raises:
        InputError: something is wrong with the job or the region.
    """
    _use_threads(task["threads"])
    folder = Path(task["folder"])
    job = _job(task["job"], folder, task["frame"])
    before = read_strokes(folder / "before.json")
    before = replace(before, brush=make_brush(job.brush, None, job, before.brush))
    style = make_style(job, own=Style.of_record(before.hand, "the painting"))
    picture = load_picture(job.image, job.frame)
    photo = photograph_of(before, picture, job.strokes, job.formats, "the photograph", WHERE)
    known = _known(folder, photo)
    region = torch.from_numpy(picture_of(folder / "region.png", REGION))[None]
    painting = repaint(
        before,
        photo,
        region,
        job.strokes,
        style=style,
        erase=task["erase"],
        progress=_telling(desk),
        watch=Onlooker(desk),
        preset=job.preset,
        seed=job.seed,
        guide=_Told(known),
    )
    painting = replace(painting, guidance=known, source=before.source)
    painting.save(folder / "strokes.json")
    errors = painting_errors(painting.canvas, photo, known.mask)
    told = {"errors": _errors(errors), "style": style.name, "notes": []}
    return {**_written(painting, folder), **told, "stopped": desk.stopped()}


class _Told:
    """A guide that knows what is in a picture already."""

    takes = ("mask", "boxes", "points", "text", "instances")

    def __init__(self, known: Guidance) -> None:
        self._known = known

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """See `GuideLike`."""
        return self._known.resized(image.shape[1], image.shape[2])


def _known(folder: Path, photo: Tensor) -> Guidance:
    """What was known of a photograph ``[3, H, W]`` when it was painted; nothing if there is no such file."""
    size = photo.shape[1], photo.shape[2]
    path = folder / "guidance.json"
    return read_guidance(path, size).guidance if path.is_file() else Guidance.none(*size)


def restore(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Read the strokes of a project, and write the painting's other files.

    Args:
        task: the ``folder`` with the strokes and perhaps guidance; the ``photo`` and its ``frame``; whether
            the strokes are ``there``.
        desk: of the worker.

    Raises:
        InputError: something in them is wrong, or of another picture.
    """
    folder = Path(task["folder"])
    picture = load_picture(Path(task["photo"]), task["frame"])
    known = _known(folder, picture.image)
    if not task["there"]:
        return {}
    painting = read_strokes(folder / "strokes.json")
    named(lambda: check_aspect(picture.image, painting))
    painting = replace(painting, photo=picture.image, guidance=known)
    size, shown = max(painting.width, painting.height), picture.image.shape
    check_painting_room((painting.height, painting.width), shown[1] * shown[2], 0, ("png",), WHERE)
    if size > task["size"] or work(painting.drawing) > MAX_WORK:
        raise Refused("The painting in the project is too large, or too much work to be shown here.", 413)
    errors = painting_errors(painting.canvas, picture.image, known.mask)
    style = str((painting.hand or {}).get("style", ""))
    return {**_written(painting, folder), "errors": _errors(errors), "style": style}


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
    return varied_options(job, each, style)


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


def _tell_shares(painting: Painting, path: Path) -> None:
    """Write each object's share of the strokes into a file of guidance that does not tell it."""
    if not path.is_file():
        return
    document = json.loads(path.read_bytes())
    records = sorted(document["instances"], key=lambda each: KINDS.index(each.get("kind", KINDS[0])))
    if len(records) == len(painting.shares):
        for record, share in zip(records, painting.shares, strict=True):
            record["share"] = round(share, 4)
        with replacing(path) as draft:
            draft.write_text(json.dumps(document), encoding="ascii")


def _told(result: Result) -> dict[str, Any]:
    """What is told of a painting that is done."""
    notes = [note.replace(str(result.job.image), result.job.image.name) for note in result.notes]
    return {"errors": _errors(result.errors), "style": result.style, "notes": notes}


def _errors(errors: Errors) -> dict[str, float | None]:
    names = ("everywhere", "foreground", "background")
    return {name: getattr(errors, name) for name in names}
