"""From a soft mask to sharp edges (GrabCut) and to separate objects (connected components)."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[Any]  # float32, [H, W]; loose because cv2's stubs are
PixelBox: TypeAlias = tuple[int, int, int, int]

_SURE, _SURELY_NOT = 0.9, 0.1


def grown(box: PixelBox, margin: float, height: int, width: int) -> PixelBox:
    """The box with `margin` of its longer side (at least 4 pixels) added all round, clipped to the frame."""
    x, y, w, h = box
    pad = max(4, round(margin * max(w, h)))
    left, top = max(0, x - pad), max(0, y - pad)
    return left, top, min(width, x + w + pad) - left, min(height, y + h + pad) - top


def grabcut(image: NDArray[np.uint8], soft: Plane, side: int = 300, iterations: int = 3) -> Plane:
    """Object mask by GrabCut (Rother et al. 2004), started from a soft mask.

    Args:
        image: ``[H, W, 3]`` bytes.
        soft: ``[H, W]`` probability of the object.
        side: longer side at which it is computed, in pixels; smaller pictures stay as they are.
        iterations: of GrabCut.

    Returns:
        ``[H, W]`` in [0, 1], soft only at the enlarged edge; `soft` itself if it lacks object or background.
    """
    height, width = soft.shape
    shrink = min(1.0, side / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    prior = cv2.resize(soft, size, interpolation=cv2.INTER_AREA)
    labels = np.where(prior > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[prior > _SURE] = cv2.GC_FGD
    labels[prior < _SURELY_NOT] = cv2.GC_BGD
    ours = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    # Each colour model is a mixture of five: it needs some pixels, and some undecided ones.
    if min(ours.sum(), (~ours).sum()) < 20 or not np.isin(labels, (cv2.GC_PR_FGD, cv2.GC_PR_BGD)).any():
        return soft
    cv2.setRNGSeed(0)  # its k-means starts at random
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, (0, 0, 1, 1), background, foreground, iterations, cv2.GC_INIT_WITH_MASK)
    cut = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    interpolation = cv2.INTER_LINEAR if shrink < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(cut, (width, height), interpolation=interpolation), np.float32)


def components(
    mask: Plane, min_share: float = 0.002, relative: float = 0.04, join: float = 0.02
) -> list[Plane]:
    """The mask's separate parts above one half, each ``[H, W]``, largest first.

    Args:
        mask: ``[H, W]`` in [0, 1].
        min_share: parts below this share of the frame are dropped.
        relative: parts below this share of the largest part are dropped.
        join: parts nearer than this share of the longer side are one, such as a bird behind a twig.
    """
    solid = (mask > 0.5).astype(np.uint8)
    reach = int(join * max(mask.shape) / 2)
    wide = cv2.dilate(solid, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    count, labels = cv2.connectedComponents(wide, connectivity=8)
    labels = np.where(solid > 0, labels, 0)
    areas = np.bincount(labels.ravel(), minlength=count)[1:]
    if not areas.size:
        return []
    floor = max(min_share * mask.size, relative * float(areas.max()), 1.0)
    order = [int(i) + 1 for i in np.argsort(-areas, kind="stable") if areas[i] >= floor]
    out = []
    for index in order:
        part = (labels == index).astype(np.uint8)
        near = cv2.dilate(part, np.ones((5, 5), np.uint8))
        # The soft rim belongs to its part, but not another part's pixels.
        near[(solid > 0) & (part == 0)] = 0
        out.append(np.asarray(mask * near, np.float32))
    return out
