"""Edges at the picture's own resolution: in a band round the mask's edge, alpha follows the colours nearby.

Within a small window alpha is a linear function of colour (Levin, Lischinski & Weiss, "A closed-form
solution to natural image matting", 2008; He, Sun & Tang, "Guided image filtering", 2010). Here it is 1 and 0
at the mean colours of what is surely object and surely not, along Fisher's discriminant. Its coefficients are
smooth, so that they are computed for a small picture and applied to each pixel of the large one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import Guidance, Instance, box_of

Plane: TypeAlias = NDArray[Any]  # float32, [H, W] or [H, W, C]

SIDE = 256  # pixels, longer side at which colours are compared
_REACH = 0.035  # of that side: half the window in which they are
_RIDGE = 3e-4  # squared colour, of [0, 1], that counts as noise
_APART = (
    4.0  # squared distance of object and surroundings, in standard deviations, at which colour has half a say
)
_ENOUGH = 0.02  # of a window's pixels, of either side
_BAND = 0.025  # of the longer side, from the mask's edge; farther off it is unsure for other reasons
_ALWAYS = 0.005  # the same: nearer than this the mask is never sure
_STEEP = 1.5  # colours of an edge are seldom exactly their side's mean
_ROUNDS = 2
_STRIP = 1 << 18  # pixels that are worked on at once


def steep(values: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, a smooth step between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _moments(image: Plane, weights: Plane, reach: int) -> tuple[Plane, Plane, Plane]:
    """In the window round each pixel: mean weight, weighted mean and covariance of the colours.

    The covariance's six numbers are those of rows and columns 00, 01, 02, 11, 12, 22.
    """
    weighted = image * weights[..., None]
    planes = [weights, weighted, image[..., :1] * weighted, image[..., 1:2] * weighted[..., 1:]]
    planes.append(image[..., 2] * weighted[..., 2])
    sums = cv2.boxFilter(np.dstack(planes), -1, (2 * reach + 1,) * 2, borderType=cv2.BORDER_REFLECT)
    total = sums[..., :1] + 1e-5
    mean, squares = sums[..., 1:4] / total, sums[..., 4:] / total
    rows, columns = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]
    return sums[..., 0], mean, squares - mean[..., rows] * mean[..., columns]


def _solve(covariance: Plane, right: Plane) -> Plane:
    """Solves symmetric 3 x 3 systems ``[H, W, 6]``, right sides ``[H, W, 3]``, by Cramer's rule."""
    a, b, c, d, e, f = (covariance[..., n] for n in range(6))
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    middle, cross, last = a * f - c * c, b * c - a * e, a * d - b * b
    x, y, z = (right[..., n] for n in range(3))
    rows = ((first, second, third), (second, middle, cross), (third, cross, last))
    solved = np.stack([p * x + q * y + r * z for p, q, r in rows], -1)
    return np.asarray(solved / (a * first + b * second + c * third)[..., None])


def colour_line(image: Plane, inside: Plane, outside: Plane, reach: int) -> tuple[Plane, Plane, Plane]:
    """Alpha as a linear function of colour, in the window round each pixel.

    Args:
        image: ``[H, W, 3]`` in [0, 1].
        inside: ``[H, W]`` in [0, 1], how surely each pixel is object.
        outside: how surely it is not.
        reach: half the window, in pixels.

    Returns:
        Slopes ``[H, W, 3]`` and offsets ``[H, W]``: 1 at the mean colour inside, 0 outside. And how far they
        may be trusted, ``[H, W]`` in [0, 1]: not where colours are alike, or a side has no pixels nearby.
    """
    ours, mean, spread = _moments(image, inside, reach)
    theirs, other_mean, other_spread = _moments(image, outside, reach)
    pooled = (spread + other_spread) / 2
    pooled[..., [0, 3, 5]] += _RIDGE
    step = mean - other_mean
    slope = _solve(pooled, step)
    apart = np.maximum((slope * step).sum(-1), 0)
    slope /= apart[..., None] + 1e-6
    offset = 0.5 - (slope * (mean + other_mean)).sum(-1) / 2
    trust = (apart / (apart + _APART)) ** 2 * np.clip(np.minimum(ours, theirs) / _ENOUGH, 0, 1)
    return slope, offset, trust


def _from_edge(mask: Plane) -> Plane:
    """Distance to the mask's edge, in pixels, on both sides ``[H, W]``."""
    solid = (mask > 0.5).astype(np.uint8)
    within = cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_3)
    without = cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_3)
    return np.where(solid > 0, within, without)


def _model(image: Plane, mask: Plane) -> Plane:
    """Slopes, offset and trust ``[H, W, 5]`` for a small picture ``[H, W, 3]`` and its mask ``[H, W]``."""
    side, away = max(mask.shape), _from_edge(mask)
    sure = steep(np.abs(2 * mask - 1), 0.2, 1)
    sure = np.minimum(sure, np.clip(away / max(1.0, _ALWAYS * side) - 0.5, 0, 1)).astype(np.float32)
    unsure = (1 - sure) * np.clip(2 - away / (_BAND * side), 0, 1)
    reach = max(2, round(_REACH * side))
    weights, now = sure, mask
    for step in range(_ROUNDS):
        slope, offset, trust = colour_line(image, weights * (now > 0.5), weights * (now <= 0.5), reach)
        trust *= unsure
        if step < _ROUNDS - 1:
            now = _blend(image, mask, np.dstack([slope, offset, trust]))
            weights = np.maximum(sure, 0.7 * steep(np.abs(2 * now - 1), 0.4, 1)).astype(np.float32)
    return np.dstack([slope, offset, trust]).astype(np.float32)


def _blend(image: Plane, mask: Plane, model: Plane, low: float = 0.2) -> Plane:
    """Alpha by colour where that is to be trusted, else by the mask, which is no object up to `low`."""
    out = steep(mask, low, 1 - low)
    band = model[..., 4] > 0
    line, trust = model[band], model[band][:, 4]
    colour = (image[band] * line[:, :3]).sum(-1) + line[:, 3]
    out[band] += trust * (np.clip((colour - 0.5) * _STEEP + 0.5, 0, 1) - out[band])
    return out


def _rows(planes: Plane, top: int, bottom: int, height: int, width: int) -> Plane:
    """Rows `top` to `bottom` of what ``[h, w]`` or ``[h, w, C]`` is when enlarged bilinearly to the size."""
    own = planes.shape[0]
    at = np.clip((np.arange(top, bottom) + 0.5) * own / height - 0.5, 0, own - 1)
    low = at.astype(int)
    high = np.minimum(low + 1, own - 1)
    share = (at - low).astype(np.float32).reshape(-1, *(1,) * (planes.ndim - 1))
    mixed = planes[low] * (1 - share) + planes[high] * share
    return np.asarray(cv2.resize(mixed, (width, bottom - top), interpolation=cv2.INTER_LINEAR))


def shrunk(image: NDArray[Any], side: int) -> NDArray[Any]:
    """A picture ``[H, W]`` or ``[H, W, C]``, averaged to a longer side of `side` pixels if it is larger."""
    height, width = image.shape[:2]
    shrink = side / max(height, width)
    if shrink >= 1:
        return image
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def sharp_edges(image: Plane, mask: Plane, seen: NDArray[Any], low: float = 0.2) -> Plane:
    """The mask at the picture's own resolution: edges where the colours change, hair and fur soft.

    Away from its edge it is what it was, only more clearly so. A mask that is above one half everywhere, or
    nowhere, has no edge.

    Args:
        image: ``[H, W, 3]`` in [0, 1]; read in strips, so that a view will do.
        mask: ``[h, w]`` in [0, 1], of the same picture, smaller or of its size.
        seen: ``[h, w, 3]`` bytes, the picture at the mask's size.
        low: the mask's values up to this one become 0, those from 1 - `low` become 1.

    Returns:
        ``[H, W]`` in [0, 1].
    """
    height, width = image.shape[:2]
    bounded = float(mask.max()) > 0.5 >= float(mask.min())
    model = _model(shrunk(seen, SIDE).astype(np.float32) / 255, shrunk(mask, SIDE)) if bounded else None
    out = np.empty((height, width), np.float32)
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        bottom = min(height, top + step)
        large = _rows(mask, top, bottom, height, width)
        if model is None:
            out[top:bottom] = steep(large, low, 1 - low)
        else:
            out[top:bottom] = _blend(image[top:bottom], large, _rows(model, top, bottom, height, width), low)
    return out


def sharpened(large: Guidance, guidance: Guidance, small: Tensor, image: Tensor) -> Guidance:
    """Enlarged guidance with the edges of the large picture.

    Args:
        large: of the picture, as `guidance` was enlarged. Faces stay as they are.
        guidance: of the small picture.
        small: ``[3, h, w]`` in [0, 1].
        image: ``[3, H, W]`` in [0, 1], the same picture.
    """
    if not large.instances:
        return large
    seen = (
        (small.detach().cpu().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    )
    rows = image.detach().cpu().float().permute(1, 2, 0).numpy()
    focus, outside = large.focus, large.mask <= 0.5
    pairs = zip(guidance.instances, large.instances, strict=True)
    instances = tuple(_sharpened(before, after, rows, seen) for before, after in pairs)
    del large, pairs, rows  # a mask of a large picture takes 50 MB
    union = torch.zeros_like(focus)
    for each in instances:
        torch.maximum(union, each.mask, out=union)
    # What lay on an object's rim is off it now, and was no focus of the surroundings.
    return Guidance(union, focus * (outside | (union > 0.5)), instances)


def _sharpened(before: Instance, after: Instance, rows: Plane, seen: NDArray[Any]) -> Instance:
    """An enlarged instance with the edges of the large picture ``[H, W, 3]``; `seen` is the small one."""
    if before.kind != "object":
        return after
    sharp = sharp_edges(rows, before.mask[0].detach().cpu().float().numpy(), seen, low=0.0)
    mask = torch.from_numpy(sharp)[None].to(after.mask)
    box = box_of(mask[0])
    return replace(after, mask=mask, box=box) if box else after
