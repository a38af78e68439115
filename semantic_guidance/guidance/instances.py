"""From what the segmenter saw to the picture's objects, each an instance of its own."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from semantic_guidance.core.check import check_shape
from semantic_guidance.core.guidance import Box, Instance
from semantic_guidance.guidance.asked import Ask
from semantic_guidance.guidance.confidence import Evidence, confidence, features, salience
from semantic_guidance.guidance.parts import Labels, View, flooded, joined, neighbours, split
from semantic_guidance.guidance.people import parted, people
from semantic_guidance.guidance.refine import Plane, components
from semantic_guidance.guidance.segmenter import Sight
from semantic_guidance.images.arrays import to_bytes

MOST_INSTANCES = 16
"""A group of people, a vase of flowers; of more the least salient are left out."""

MIN_CONFIDENCE = 0.1
"""What is less likely an object is none."""

_MAX_INSTANCES = 8
_LEAST_SHARE = 0.001  # of the frame: smaller pieces are specks
_RIM = 0.02  # of the longer side: how far from a thing its soft rim reaches


def found_instances(
    image: Tensor, seen: Sight, ask: Ask | None = None, faces: Sequence[Box] = ()
) -> tuple[Instance, ...]:
    """The objects of a picture ``[3, H, W]`` in [0, 1], most salient first.

    No two of them overlap, and where they are, they add up to the mask that was seen.

    Args:
        image: the picture.
        seen: what the segmenter saw in it.
        ask: tells what lies under a place; without it things are told apart by shape and colour alone.
        faces: boxes (x, y, width, height) in pixels of the picture, that tell people apart.
    """
    soft = seen.mask[0].detach().float().cpu().numpy()
    view = View.of(to_bytes(image.detach().float().cpu()), soft)
    scale = view.soft.shape[1] / image.shape[2]
    boxes = [(x * scale, y * scale, w * scale, h * scale) for x, y, w, h in faces]
    labels = told(view, ask, boxes)
    shapes = [labels == n for n in range(1, int(labels.max()) + 1)]
    if not shapes:
        return ()
    known = Evidence.of(image, view, seen)
    sure = _sure(known, labels, ask, boxes)
    kept = [n for n, each in enumerate(sure) if each >= MIN_CONFIDENCE]
    salient = dict(zip(kept, salience(known, [shapes[n] for n in kept]), strict=True))
    kept = sorted(kept, key=lambda n: -salient[n])[:MOST_INSTANCES]
    masks = masks_of(labels, soft)
    out = []
    for n in kept:
        mask = torch.from_numpy(masks[n])[None].to(seen.mask.device)
        if bool((mask > 0.5).any()):
            out.append(Instance.from_mask(mask, "object", sure[n], salient[n]))
    return tuple(out)


def told(view: View, ask: Ask | None = None, faces: Sequence[Box] = ()) -> Labels:
    """What is one thing each in the mask of a view: ``[H, W]`` labels from 1 on, in no order.

    Args:
        view: the picture and its mask.
        ask: tells what lies under a place.
        faces: boxes in pixels of the view, that tell people apart.
    """
    solid = (view.soft > 0.5).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    least = _LEAST_SHARE * solid.size
    out, found = np.zeros(solid.shape, np.int32), 0
    for n in range(1, count):
        if stats[n, cv2.CC_STAT_AREA] < least:
            continue
        parts = parted(view, pieces == n, faces, ask)
        if parts is None:
            parts = split(view, pieces == n, ask)
        out = np.where(parts > 0, parts + found, out)
        found += int(parts.max())
    return joined(view, out)


def _sure(known: Evidence, labels: Labels, ask: Ask | None, faces: Sequence[Box]) -> list[float]:
    """The confidence of each label ``[H, W]``; people of a group are no less certain than the group is."""
    shapes = [labels == n for n in range(1, int(labels.max()) + 1)]
    sure = confidence(features(known, shapes, ask))
    groups = grouped(labels, faces)
    if groups.max() < labels.max():
        whole = [groups == n for n in range(1, int(groups.max()) + 1)]
        together = confidence(features(known, whole, ask))
        for n, shape in enumerate(shapes):
            group = int(groups[shape][0]) - 1
            if not np.array_equal(whole[group], shape):
                sure[n] = max(sure[n], together[group])
    return sure


def grouped(labels: Labels, faces: Sequence[Box]) -> Labels:
    """Labels ``[H, W]`` from 1 on, of which those that touch and hold a person's face each are one."""
    out = labels.copy()
    for one, other in neighbours(labels) if len(faces) > 1 else ():
        if people(labels == one, faces) and people(labels == other, faces):
            first, second = int(out[labels == one][0]), int(out[labels == other][0])
            out[out == second] = first
    return np.searchsorted(np.unique(np.r_[0, out.ravel()]), out).astype(np.int32)


def masks_of(labels: Labels, soft: Plane) -> list[Plane]:
    """The parts of a soft mask ``[H, W]`` that belong to each label of ``[h, w]``, smaller or as large.

    A pixel belongs to the nearest label, if it is not far from all.
    """
    height, width = soft.shape
    large, most = np.zeros(soft.shape, np.int32), np.zeros(soft.shape, np.float32)
    for n in range(1, int(labels.max()) + 1):
        share = cv2.resize((labels == n).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        large[share > most] = n
        most = np.maximum(most, share)
    large[soft <= 0.5] = 0
    reach = max(2, round(_RIM * max(height, width)))
    around = cv2.dilate((large > 0).astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    owner = flooded(large, around & (soft > 0))
    return [np.where(owner == n, soft, 0).astype(np.float32) for n in range(1, int(labels.max()) + 1)]


def split_instances(mask: Tensor, most: int = _MAX_INSTANCES) -> tuple[Instance, ...]:
    """The separate objects of a mask ``[1, H, W]`` in [0, 1], largest first, small ones dropped."""
    parts = components(mask[0].detach().float().cpu().numpy())
    planes = (torch.from_numpy(part)[None].to(mask.device) for part in parts[:most])
    return tuple(Instance.from_mask(plane) for plane in planes)


def given_instances(mask: Tensor) -> tuple[Instance, ...]:
    """The objects of a mask ``[1, H, W]`` that a person gave; small and surplus parts belong to the last one.

    Raises:
        ValueError: no pixel of the mask is above one half.
    """
    first = split_instances(mask)[:-1]
    rest = mask.float()
    for instance in first:
        rest = (rest - instance.mask).clamp(min=0)
    return (*first, Instance.from_mask(rest))


def told_apart(mask: Tensor, objects: Tensor | None) -> tuple[Instance, ...]:
    """The objects of a mask ``[1, H, W]``, or those ``[N, H, W]`` that a person tells apart.

    Of those there are at most eight, largest first; the last one is all that the others leave. Several that
    are the same are one.

    Raises:
        ValueError: the shapes differ, or no pixel of the mask, or of any of the objects, is above one half.
    """
    if objects is None:
        return given_instances(mask)
    check_shape("objects", objects, len(objects), *mask.shape[1:])
    areas = objects.flatten(1).sum(dim=1)
    ordered = [objects[n][None] for n in torch.sort(areas, descending=True, stable=True).indices.tolist()]
    ordered = [plane for plane in ordered if bool((plane > 0.5).any())]
    ordered = [each for n, each in enumerate(ordered) if n == 0 or not torch.equal(each, ordered[n - 1])]
    most = _MAX_INSTANCES
    if len(ordered) > most:
        ordered = [*ordered[: most - 1], torch.cat(ordered[most - 1 :]).sum(dim=0, keepdim=True).clamp(0, 1)]
    if not ordered:
        raise ValueError("mask is empty, wanted at least one pixel above 0.5")
    return tuple(Instance.from_mask(plane) for plane in ordered)
