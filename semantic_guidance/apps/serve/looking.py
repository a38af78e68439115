"""In a worker: pictures decoded and looked at."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from semantic_guidance.apps.serve.desk import Desk
from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.core.files import replacing
from semantic_guidance.core.guidance import Box, Guidance, Point
from semantic_guidance.core.resample import resample
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.base import Prompt
from semantic_guidance.guidance.files import read_guidance, write_guidance
from semantic_guidance.guidance.guide import Guide
from semantic_guidance.guidance.instances import split_instances
from semantic_guidance.guidance.look import LONGEST, Look
from semantic_guidance.guidance.segmenter import default_segmenter
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.decoding import TooManyPixelsError, decode_stream
from semantic_guidance.images.files import load_picture

PREVIEW = 1600
"""Pixels of a preview's longer side at most."""

MASKS = 640
"""Pixels of the longer side of masks that are shown and edited, at most."""

KEPT = 8
"""Pictures that are kept, looked at."""


class Known(NamedTuple):
    """A picture that has been looked at.

    Attributes:
        look: to be asked.
        size: width and height of the upright picture in its file.
    """

    look: Look
    size: tuple[int, int]


_guide = Guide()
_known: OrderedDict[str, Known] = OrderedDict()


def ready_to_look() -> None:
    """Load the networks, by looking at a picture of nothing."""
    grey = torch.full((3, 64, 64), 0.5, dtype=torch.float32)
    grey[:, 20:40, 20:40] = 0.9
    _guide.look(grey)(Prompt(points=[Point(30, 30)]))
    _guide(grey)


def decode(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """See that a file is a picture; write its preview.

    Args:
        task: ``path`` of the file, its ``name``, ``frame`` or None, ``preview``, and ``pixels`` at most.
        desk: of the worker.

    Raises:
        Refused: it is no picture, or too large.
    """
    path = Path(task["path"])
    try:
        picture = load_picture(path, task["frame"], task["pixels"])
    except TooManyPixelsError as error:
        raise Refused(_named(error, path, task["name"]), 413) from None
    except ValueError as error:
        raise Refused(_named(error, path, task["name"]), 415) from None
    height, width = picture.image.shape[1:]
    shrink = min(1.0, PREVIEW / max(height, width))
    small = resample(picture.image, max(1, round(height * shrink)), max(1, round(width * shrink)))
    with replacing(Path(task["preview"])) as draft:
        Image.fromarray(to_bytes(small.clamp(0, 1))).save(draft, "JPEG", quality=88)
    width, height = picture.size
    return {"width": width, "height": height, "note": _named(picture.note, path, task["name"])}


def _named(message: object, path: Path, name: str) -> str:
    """A message with the visitor's name of a file."""
    return str(message).replace(str(path), name)


def look(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """What is known of a picture, or of what a person says of it, as a document.

    Args:
        task: ``id`` and ``path`` of the picture, ``frame`` or None, a ``folder`` for drafts, and the
            ``question``, see `Studio.look`; if it is ``rough``, the answer comes soon, and a better one is
            to be asked for.
        desk: of the worker.

    Raises:
        ValueError: the question is not usable.
    """
    known = _looked_at(task["id"], Path(task["path"]), task["frame"])
    question = task["question"]
    if question.get("rough", False):
        return {"guidance": document(glance(known.look.image), known.size, Path(task["folder"]), False)}
    prompt = _prompt(question, known, Path(task["folder"]))
    whole = bool(question.get("whole", False))
    if not any(question.get(name) for name in ("points", "boxes", "text", "guidance")):
        known.look.ahead()
    desk.afterwards = known.look.ready  # for clicks
    return {"guidance": document(known.look(prompt, whole), known.size, Path(task["folder"]), whole)}


def _looked_at(name: str, path: Path, frame: int | None) -> Known:
    """A picture that has been looked at, perhaps before."""
    known = _known.pop(name, None)
    if known is None:
        picture = load_picture(path, frame)
        known = Known(first_look(picture.image), picture.size)
    _known[name] = known
    while len(_known) > KEPT:
        _known.popitem(last=False)
    return known


def first_look(image: Tensor) -> Look:
    """A picture ``[3, H, W]`` to be asked about, at the size at which it is looked at."""
    height, width = image.shape[1:]
    shrink = min(1.0, LONGEST / max(height, width))
    small = resample(image, max(1, round(height * shrink)), max(1, round(width * shrink))).clamp(0, 1)
    return Look(small, _guide._seen(small), _guide)


def glance(image: Tensor) -> Guidance:
    """What the segmenter sees of a picture ``[3, H, W]`` at one look, soon: objects that are apart."""
    segmenter = default_segmenter()
    with torch_threads():
        plane, presence = segmenter.look(to_bytes(image), segmenter.config.scales[:1])
    mask = torch.from_numpy(plane)[None]
    found = tuple(replace(each, confidence=presence) for each in split_instances(mask))
    return Guidance(mask, torch.zeros_like(mask), found)


def _prompt(question: dict[str, Any], known: Known, folder: Path) -> Prompt:
    """What a question says, in pixels of the picture that was looked at."""
    height, width = known.look.image.shape[1:]
    sx, sy = width / known.size[0], height / known.size[1]
    points = [Point(x * sx, y * sy, bool(wanted)) for x, y, wanted in question.get("points", ())]
    boxes: list[Box] = [
        (x * sx, y * sy, across * sx, down * sy) for x, y, across, down in question.get("boxes", ())
    ]
    given = question.get("guidance")
    if given is not None:
        guidance = read_document(given, folder, (height, width))
        return Prompt(instances=guidance.instances, points=points)
    return Prompt(points=points, boxes=boxes, text=question.get("text") or None)


def read_document(given: dict[str, Any], folder: Path, size: tuple[int, int] | None) -> Guidance:
    """What a document says of a picture of a height and a width.

    Raises:
        InputError: it is no such document, or of a picture of another shape.
    """
    path = folder / "question.json"
    path.write_text(json.dumps(given), encoding="ascii")
    try:
        return read_guidance(path, size).guidance
    except ValueError as error:
        raise Refused(_named(error, path, "the guidance"), 422) from None
    finally:
        path.unlink()


def document(
    guidance: Guidance, size: tuple[int, int], folder: Path, whole: bool, shares: Any = None
) -> dict[str, Any]:
    """What is known of a picture, as a file of guidance has it, with masks that are at most `MASKS` long.

    Args:
        guidance: at any size.
        size: width and height of the upright picture.
        folder: for a draft.
        whole: whether the focus is known.
        shares: of the strokes, of each instance, if they are known.
    """
    height, width = guidance.mask.shape[1:]
    shrink = min(1.0, MASKS / max(height, width))
    path = folder / "answer.json"
    small = guidance.resized(max(1, round(height * shrink)), max(1, round(width * shrink)))
    write_guidance(small, path, shares=shares)
    known: dict[str, Any] = json.loads(path.read_bytes())
    path.unlink()
    across, down = size[0] / known["width"], size[1] / known["height"]
    known |= {"width": size[0], "height": size[1]}
    for instance in known["instances"]:
        x, y, wide, high = instance["box"]
        instance["box"] = [round(n, 2) for n in (x * across, y * down, wide * across, high * down)]
    if not whole:
        known.pop("focus", None)
        known.pop("focus_elsewhere", None)
    return known


def picture_of(path: Path, most: int) -> np.ndarray:
    """A grey PNG picture of a visitor's, ``[H, W]`` in [0, 1].

    Raises:
        Refused: it is none.
    """
    try:
        with path.open("rb") as source:
            image = decode_stream(source, "the region", formats=["PNG"], most=most).image
    except ValueError as error:
        raise Refused(error, 415) from None
    clear = image.convert("RGBA")  # perhaps painted with a brush on nothing, which is black
    grey, alpha = (np.asarray(each, np.float32) / 255 for each in (clear.convert("L"), clear.getchannel("A")))
    return grey * alpha
