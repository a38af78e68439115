"""Files of guidance: what is known of a picture, to be kept, looked at, edited and used again.

A file is JSON: ``format`` and ``version``; ``width`` and ``height`` of the picture; ``source``, the name and
checksum of its file, if they are known; ``instances``, the objects, most salient first, and faces; ``focus``,
what identifies the objects, and ``focus_elsewhere``, if anything off them matters, such as text. Each
instance has its ``number``, ``kind``, ``confidence``, ``salience``, ``box`` (x, y, width, height in pixels),
``share`` of the painting's strokes if it is known, ``wanted_share`` of them if a person asks for one, and
``mask``.

Masks and planes of focus are grey PNG pictures of 8 bits, as data URIs; their sides are the picture's, or
smaller. Where a file is read, they may also be in base64 alone, or the name of a PNG picture beside the file.
What counts there is ``kind``, ``confidence``, ``salience``, ``wanted_share`` (0 to 1, together at most 1),
``mask`` and the order; numbers, boxes and other shares only tell.

Nothing that is read from a file is trusted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.guidance import KINDS, Guidance, Instance, check_shares
from semantic_guidance.core.inputs import no_such_file
from semantic_guidance.core.names import inside
from semantic_guidance.core.resample import resample
from semantic_guidance.core.shown import printable
from semantic_guidance.images.arrays import resample_array
from semantic_guidance.images.masks import fits, load_objects_array, united
from semantic_guidance.images.reading import (
    MAX_PIXELS,
    FlawError,
    field,
    floats,
    integer,
    packed_picture,
    parsed,
    read_picture,
    sequence,
    shown,
)

FORMAT, VERSION, WHAT = "semantic-guidance/guidance", 1, "a file of guidance"
MAX_BYTES = 128 << 20
MAX_INSTANCES = 64
MAX_SIDE = 32_768  # pixels of the picture
MOST_READ = 500_000_000  # pixels of all instances together, at the size that is wanted
MAX_COMMAS = 32 * (MAX_INSTANCES + 1)
MAX_SOURCE = 4000  # letters
MOST_NAMED = 300  # letters of what may be meant as the name of a picture
HEAD = "data:image/png;base64,"


class Stored(NamedTuple):
    """What is in a file of guidance.

    Attributes:
        guidance: at the size that was asked for.
        source: name and checksum of the picture's file; empty if they are not told.
    """

    guidance: Guidance
    source: str


def write_guidance(
    guidance: Guidance, path: str | Path, source: str = "", shares: Sequence[float] | None = None
) -> None:
    """Write what is known of a picture.

    Args:
        guidance: at the picture's size.
        path: of the file.
        source: name and checksum of the picture's file, if they are known.
        shares: of the strokes, in [0, 1], for each instance, if they are known.

    Raises:
        ValueError: there are more than `MAX_INSTANCES`.
        OSError: the file cannot be written.
    """
    if len(guidance.instances) > MAX_INSTANCES:
        raise ValueError(f"instances are {len(guidance.instances)}, wanted at most {MAX_INSTANCES}")
    height, width = guidance.mask.shape[-2:]
    # What is read is bounded: all planes together.
    shrink = min(1.0, math.sqrt(0.99 * MAX_PIXELS / ((len(guidance.instances) + 2) * height * width)))
    size = max(1, int(height * shrink)), max(1, int(width * shrink))

    def packed(plane: Tensor) -> str:
        return HEAD + packed_picture(resample(plane.detach().cpu().float(), *size).clamp(0, 1).numpy())

    document: dict[str, Any] = {"format": FORMAT, "version": VERSION, "width": width, "height": height}
    if source:
        document["source"] = source
    document["instances"] = [
        {
            "number": number,
            "kind": each.kind,
            "confidence": round(each.confidence, 4),
            "salience": round(each.salience, 4),
            "box": [round(float(side), 2) for side in each.box],
            **({} if shares is None else {"share": round(shares[number - 1], 4)}),
            **({} if each.share is None else {"wanted_share": float(each.share)}),
            "mask": packed(each.mask),
        }
        for number, each in enumerate(guidance.instances, 1)
    ]
    inside = guidance.mask > 0
    document["focus"] = packed(guidance.focus * inside)
    if bool((guidance.focus * ~inside).any()):
        document["focus_elsewhere"] = packed(guidance.focus * ~inside)
    with replacing(Path(path)) as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")


def read_guidance(path: str | Path, size: tuple[int, int] | None = None) -> Stored:
    """What a file of guidance says of its picture.

    Args:
        path: the file.
        size: height and width of the picture that it is for, whose aspect ratio must be that in the file; if
            None, the guidance has the size in the file.

    Raises:
        OSError: there is no such file, or it cannot be read.
        InputError: it is no file of guidance, or something in it is missing or wrong; the message names the
            file and the place.
    """
    path = Path(path)
    try:
        return _stored(_load(path), path.parent, size)
    except FlawError as flaw:
        raise InputError(f"{path}: {flaw}") from None


def _load(path: Path) -> Any:
    name = printable(path)
    if path.is_dir():
        raise IsADirectoryError(f"{name}: this is a directory, wanted {WHAT}")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise no_such_file(path, WHAT) from None
    except OSError as error:
        raise OSError(f"{name}: cannot be read ({error.strerror}), wanted {WHAT}") from None
    if len(text) > MAX_BYTES:
        raise FlawError(f"the file is larger than {MAX_BYTES} bytes")
    # Before parsing, which takes many times the memory of the text.
    if text.count(b"{") > MAX_INSTANCES + 1 or text.count(b",") > MAX_COMMAS:
        raise FlawError(f"there are more than {MAX_INSTANCES} instances in it, wanted at most that many")
    return parsed(text, WHAT)


def _stored(document: Any, folder: Path, size: tuple[int, int] | None) -> Stored:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FlawError(f"not {WHAT}, wanted an object whose format is {FORMAT!r}")
    version = field(document, "version", "the file")
    if version != VERSION or isinstance(version, bool):
        raise FlawError(f"version is {shown(version)}, wanted {VERSION}")
    width, height = integer(document, "width", 1, MAX_SIDE), integer(document, "height", 1, MAX_SIDE)
    if size is None:
        size = height, width
        if height * width > MAX_PIXELS:
            raise FlawError(f"the picture is {width} x {height}, wanted at most {MAX_PIXELS} pixels")
    if not fits((width, height), *size):
        raise FlawError(
            f"it is of a picture of {width} x {height}, wanted {size[1]} x {size[0]} or the same aspect ratio"
        )
    source = document.get("source", "")
    if not isinstance(source, str) or len(source) > MAX_SOURCE:
        raise FlawError(f"source is {shown(source)}, wanted at most {MAX_SOURCE} letters")
    records = sequence(field(document, "instances", "the file"), "instances")
    if len(records) > MAX_INSTANCES:
        raise FlawError(f"there are {len(records)} instances in it, wanted at most {MAX_INSTANCES}")
    if len(records) * size[0] * size[1] > MOST_READ:
        raise FlawError(
            f"{len(records)} instances of {size[1]} x {size[0]} pixels are too many, wanted fewer"
        )
    planes = _Planes(folder, (width, height), size)
    instances = [_instance(record, f"instance {n}", planes) for n, record in enumerate(records, 1)]
    try:
        check_shares([each.share for each in instances])
    except ValueError as error:
        raise FlawError(str(error)) from None
    ordered = tuple(sorted(instances, key=lambda each: KINDS.index(each.kind)))
    objects = [each.mask for each in ordered if each.kind != "face"]
    mask = torch.zeros(1, *size, dtype=torch.float32)
    for plane in objects:
        mask = (mask + plane).clamp(max=1)  # where two of them meet there is no seam
    for face in ordered[len(objects) :]:
        mask = torch.maximum(mask, face.mask)
    focus = torch.zeros_like(mask)
    for name, within in (("focus", mask > 0), ("focus_elsewhere", mask <= 0)):
        if document.get(name) is not None:
            focus = torch.maximum(focus, planes.read(document[name], name) * within)
    return Stored(Guidance(mask, focus, ordered), source)


def _instance(record: Any, where: str, planes: _Planes) -> Instance:
    if not isinstance(record, dict):
        raise FlawError(f"{where} is {shown(record)}, wanted an object")
    kind = record.get("kind", KINDS[0])
    if kind not in KINDS:
        raise FlawError(f"kind of {where} is {shown(kind)}, wanted one of {', '.join(KINDS)}")
    confidence, salience = (
        floats(record, name, (), 0, 1, where)[0] if name in record else 1.0
        for name in ("confidence", "salience")
    )
    share = None
    if record.get("wanted_share") is not None:
        share = floats(record, "wanted_share", (), 0, 1, where)[0]
    mask = planes.read(field(record, "mask", where), f"mask of {where}")
    if not bool((mask > 0.5).any()):
        raise FlawError(f"mask of {where} is empty, wanted some bright pixels where it is")
    return Instance.from_mask(mask, kind, confidence, salience, share)


class _Planes:
    """Reads the pictures of a file.

    Args:
        folder: where pictures that it names lie.
        sides: width and height of the picture in the file.
        size: height and width that are wanted.
    """

    def __init__(self, folder: Path, sides: tuple[int, int], size: tuple[int, int]) -> None:
        self._folder, self._sides, self._size = folder, sides, size
        self._left = MAX_PIXELS

    def read(self, text: Any, name: str) -> Tensor:
        """A plane ``[1, H, W]`` in [0, 1] of the wanted size."""
        if isinstance(text, str) and text.lower().endswith(".png"):
            return torch.from_numpy(self._beside(text, name))
        if isinstance(text, str) and "." in text and len(text) < MOST_NAMED:
            wanted = "the name of a PNG picture (.png) beside the file, or a grey one in base64"
            raise FlawError(f"{name} is {shown(text)}, wanted {wanted}")
        if isinstance(text, str):
            text = text.removeprefix(HEAD)
        plane = read_picture(text, name, "L", self._left)
        self._left -= plane.size
        height, width = plane.shape[1:]
        if not fits((width, height), self._sides[1], self._sides[0]):
            raise FlawError(
                f"{name} is {width} x {height}, wanted {self._sides[0]} x {self._sides[1]} or the same aspect"
                " ratio"
            )
        return torch.from_numpy(resample_array(plane, *self._size).clip(0, 1))

    def _beside(self, text: str, name: str) -> NDArray[np.float32]:
        """A picture beside the file, which is read as any mask."""
        if "/" in text or "\\" in text:
            raise FlawError(f"{name} is {shown(text)}, wanted the name of a picture beside the file")
        try:
            path = inside(self._folder, text, name)
        except InputError as error:
            raise FlawError(str(error)) from None
        try:
            return united(load_objects_array(path, *self._size))
        except (InputError, OSError) as error:
            raise FlawError(f"{name}: {error}") from None
