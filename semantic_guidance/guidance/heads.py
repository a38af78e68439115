"""From faces to guidance: which are instances of their own, and what is focused on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.resample import resample
from semantic_guidance.guidance.faces import Face, find_faces, prominence, span

MAX_HEAD = 0.4
"""Share of the objects' area, up to which a head within them is an instance; beyond, they are the head."""

MIN_HEAD = 0.025
"""Width of a face from which its head is an instance, in units of the picture's longer side."""

MAX_HEADS = 8
"""Heads that are instances at most, the most prominent ones; other faces are focused on."""

_ELLIPSE = (0.62, 0.78, 0.06)  # half sides of the ellipse and its rise, in sides of the face's box
_MOSTLY = 0.5  # share of a head that is within the objects, from which it belongs to them


def with_faces(
    image: Tensor, guidance: Guidance, everywhere: bool = True, faces: Sequence[Face] | None = None
) -> Guidance:
    """`guidance` of a picture ``[3, H, W]`` with its faces, in the focus and as the last instances.

    A head is cut out by the objects' mask if it belongs to them, and else one more object. One that is most
    of the objects is seen closely with them and is no instance of its own; nor are small ones, nor more than
    eight.

    Args:
        image: the picture.
        guidance: its objects.
        everywhere: whether faces off the objects count, too.
        faces: those of the picture, the most prominent one first, if they are known.
    """
    height, width = image.shape[-2:]
    objects, mask, focus = guidance.mask, guidance.mask.clone(), guidance.focus.clone()
    most = MAX_HEAD * float(objects.sum())
    heads: list[Instance] = []
    first = 0.0
    for face in find_faces(image) if faces is None else faces:
        (rows, columns), head = head_of(face, height, width)
        head = head.to(objects)
        within = head * objects[:, rows, columns]
        belongs = float((within > 0.5).sum()) >= _MOSTLY * max(1.0, float((head > 0.5).sum()))
        if not belongs and not everywhere:
            continue
        face.mark(focus)
        draws = prominence(face.box, height, width)
        first = max(first, draws)
        cut = within if belongs else head
        small = face.box[2] < MIN_HEAD * max(height, width) or not bool((cut > 0.5).any())
        if small or len(heads) == MAX_HEADS or (belongs and float(cut.sum()) >= most):
            continue
        plane = torch.zeros_like(objects)
        plane[:, rows, columns] = cut
        heads.append(Instance.from_mask(plane, "face", face.confidence, draws / first))
        mask = torch.maximum(mask, plane)
    return Guidance(mask, focus, (*guidance.instances, *heads))


def with_known_faces(
    guidance: Guidance, faced: Guidance, known: Sequence[Instance], unwanted: Tensor | None
) -> Guidance:
    """Guidance with the faces that are known, and of those that were found only such as are new.

    Args:
        guidance: the objects.
        faced: the same with the faces that were found in them.
        known: what was known before: objects, and faces, which stay as they are.
        unwanted: ``[1, h, w]`` above one half where no face is wanted, at any size.
    """
    mask = guidance.mask.clone()
    there = torch.stack([torch.zeros_like(mask), *(each.mask.to(mask) for each in known)]).amax(0)
    away = torch.zeros_like(mask) if unwanted is None else resample(unwanted.float(), *mask.shape[-2:])
    kept = [each for each in known if each.kind == "face" and _mostly_off(each, away)]
    found = [each for each in faced.instances if each.kind == "face" and _mostly_off(each, there)]
    faces = (*kept, *found)
    for each in faces:
        mask = torch.maximum(mask, each.mask.to(mask))
    return Guidance(mask, faced.focus, (*guidance.instances, *faces))


def _mostly_off(face: Instance, area: Tensor) -> bool:
    """Whether less than half of a face lies in an area ``[1, H, W]``."""
    inside = face.mask > 0.5
    return float((inside & (area > 0.5)).sum()) < 0.5 * float(inside.sum())


def head_of(face: Face, height: int, width: int) -> tuple[tuple[slice, slice], Tensor]:
    """The ellipse round a face, tilted as its eyes are, in a picture of a height and a width.

    Returns:
        The rows and columns that hold it, and the ellipse there ``[1, h, w]`` in [0, 1], soft over 4 pixels.
    """
    x, y, wide, high = face.box
    across, down, rise = _ELLIPSE[0] * wide, _ELLIPSE[1] * high, _ELLIPSE[2] * high
    middle = (x + wide / 2, y + high / 2)
    left, right = span(middle[0], down + rise + 4, width)
    top, bottom = span(middle[1], down + rise + 4, height)
    dy, dx = np.mgrid[top:bottom, left:right].astype(np.float32) + 0.5
    dx, dy = dx - middle[0], dy - middle[1]
    ux, uy = face.tilt
    distance = np.sqrt(((dx * ux + dy * uy) / across) ** 2 + ((dy * ux - dx * uy + rise) / down) ** 2)
    inside = np.clip((1 - distance) * across / 4 + 0.5, 0, 1).astype(np.float32)
    return (slice(top, bottom), slice(left, right)), torch.from_numpy(inside)[None]
