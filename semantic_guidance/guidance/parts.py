"""What of a mask is one thing: touching things apart, pieces of one thing together.

By shape and colour alone: where a mask is much narrower than on both sides, bends inwards there, and the
picture has an edge or its parts are rounder than the whole, it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.box import box_of
from semantic_guidance.core.guidance import Point
from semantic_guidance.guidance.asked import Ask
from semantic_guidance.guidance.logistic import Logistic, read
from semantic_guidance.guidance.refine import Plane, grown

SIDE = 256
"""Longer side at which parts are told apart, in pixels."""

CUT_FEATURES = ("neck", "size", "edge", "step", "rounder", "solid", "round", "both", "dip", "stacked")
ASKED_FEATURES = (*CUT_FEATURES, "crossing", "one_way")
"""`crossing` and `one_way`: how much of the other part lies under a click on this one, mean and greater."""

_PERSISTENCE = (
    0.8  # a swelling is one of its own if what joins it to another is under this share of its width
)
_LEAST_PEAK = 2.0  # pixels: half the width of the thinnest thing that can be split off
_MOST_ASKED = 12
_LEAST_SHARE = 0.004  # of the frame, that a thing has that is split off
_JOIN = 0.02  # of the longer side: specks that are so near to a thing belong to it
_SPECK = 0.1  # of a thing's area
_WIDEST_BAR = 0.08  # of the longer side, that may divide a thing
_FACING, _LIKE_WIDTHS, _ALIKE = 0.6, 0.4, 0.6

Labels = NDArray[np.int32]  # [H, W], 0 where there is nothing


@dataclass(frozen=True, eq=False)
class View:
    """A picture and its mask, small.

    Attributes:
        lab: ``[H, W, 3]`` float32, CIE Lab, smoothed.
        soft: ``[H, W]`` float32 in [0, 1], the mask.
    """

    lab: NDArray[np.float32]
    soft: Plane

    @cached_property
    def gradient(self) -> Plane:
        """``[H, W]`` the greatest change of colour near each pixel, in Lab a pixel."""
        across, down = cv2.Sobel(self.lab, cv2.CV_32F, 1, 0), cv2.Sobel(self.lab, cv2.CV_32F, 0, 1)
        strength = np.sqrt((across**2 + down**2).sum(axis=2)) / 8
        return np.asarray(cv2.dilate(strength, np.ones((3, 3), np.uint8)), np.float32)

    @staticmethod
    def of(pixels: NDArray[np.uint8], soft: Plane, side: int = SIDE) -> View:
        """From a picture ``[h, w, 3]`` RGB bytes and a mask ``[h', w']`` in [0, 1], of any sizes."""
        scale = min(1.0, side / max(pixels.shape[:2]))
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), (0, 0), 0.8)
        return View(np.asarray(lab, np.float32), cv2.resize(soft, size, interpolation=cv2.INTER_AREA))


def flooded(labels: Labels, inside: NDArray[np.bool_]) -> Labels:
    """Labels ``[H, W]`` spread to the pixels inside that have none: each takes the nearest pixel's."""
    if not labels.any():
        return labels
    _, nearest = cv2.distanceTransformWithLabels(
        (labels == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # It numbers the pixels that are zero as it likes.
    of = np.zeros(int(nearest.max()) + 1, np.int32)
    of[nearest[labels > 0]] = labels[labels > 0]
    return np.where(inside, of[nearest], 0).astype(np.int32)


def swellings(solid: NDArray[np.bool_], least: float = _LEAST_PEAK) -> tuple[Labels, Plane]:
    """Every wide place of a shape, with what is nearest to it.

    Args:
        solid: ``[H, W]`` the shape; what the frame cuts is taken to go on.
        least: half the width of the narrowest, in pixels.

    Returns:
        Labels ``[H, W]`` from 1 on, and the distance of each pixel to the shape's edge.
    """
    distance = cv2.distanceTransform(solid.astype(np.uint8), cv2.DIST_L2, 5)
    labels, count = np.zeros(solid.shape, np.int32), 0
    level = float(distance.max()) * _PERSISTENCE
    while level >= least * _PERSISTENCE:
        above = distance > level
        labels = flooded_within(labels, above)
        number, parts, stats, _ = cv2.connectedComponentsWithStats(above.astype(np.uint8), connectivity=8)
        for n in range(1, number):
            x, y, w, h, _ = stats[n]
            here = parts[y : y + h, x : x + w] == n
            if (labels[y : y + h, x : x + w][here] > 0).any():
                continue
            if distance[y : y + h, x : x + w][here].max() * _PERSISTENCE >= level:
                count += 1
                labels[y : y + h, x : x + w][here] = count
        level *= 0.92
    return flooded(labels, solid), distance


def flooded_within(labels: Labels, above: NDArray[np.bool_]) -> Labels:
    """Labels spread to the pixels above a level that are joined to them."""
    if not labels.any():
        return labels
    _, parts = cv2.connectedComponents(above.astype(np.uint8), connectivity=8)
    joined = np.unique(parts[labels > 0])
    return np.maximum(labels, flooded(labels, np.isin(parts, joined[joined > 0])))


def _solidity(shape: NDArray[np.bool_]) -> float:
    """Area over the area of the convex hull."""
    points = cv2.findNonZero(shape.astype(np.uint8))
    hull = cv2.convexHull(points)
    around = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1  # pixels are squares, not points
    return float(len(points) / max(around, 1.0))


def colours(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """Roots of the shares of 6 x 6 x 6 cells of Lab colours ``[N, 3]``: their products are overlaps.

    A quarter of a share counts for each neighbour along each axis, so that little differences are little.
    """
    cells = np.clip((lab + np.array([0, 60, 60])) / np.array([100, 120, 120]) * 6, 0, 5).astype(int)
    shares = np.bincount(cells @ np.array([36, 6, 1]), minlength=216).reshape(6, 6, 6) / max(len(lab), 1)
    for axis in range(3):
        padded = np.pad(shares, [(int(axis == n),) * 2 for n in range(3)], mode="edge")
        before, here, after = (np.take(padded, range(n, n + 6), axis) for n in range(3))
        shares = before / 4 + here / 2 + after / 4
    return np.sqrt(shares.ravel() / shares.sum())


def cut_features(view: View, a: NDArray[np.bool_], b: NDArray[np.bool_], distance: Plane) -> dict[str, float]:
    """What speaks for a cut between two neighbouring parts ``[H, W]`` of a shape, see `CUT_FEATURES`.

    - neck: width where they meet over that of the narrower part;
    - size: area of the smaller over the larger's;
    - edge: how much stronger the picture's gradient is along the cut than inside the parts, log;
    - step: difference of the colours on either side of the cut, in units of 50 of Lab;
    - rounder: how much more of their convex hulls the parts fill than their union does;
    - solid: how much of its convex hull the less convex part fills;
    - round: area of the greatest disc inside, over the part's area, of the less round part;
    - both: 1 for two equal discs that touch at a point, near 0 unless all three hold;
    - dip: by how much less the mask is sure along the cut;
    - stacked: how far the parts lie one above the other rather than side by side, from 0 to 1.
    """
    x, y, w, h = cv2.boundingRect((a | b).astype(np.uint8))
    here = slice(y, y + h), slice(x, x + w)
    a, b, distance, soft, gradient = (plane[here] for plane in (a, b, distance, view.soft, view.gradient))
    kernel = np.ones((3, 3), np.uint8)
    seam = (cv2.dilate(a.astype(np.uint8), kernel) > 0) & b | (cv2.dilate(b.astype(np.uint8), kernel) > 0) & a
    band = cv2.dilate(seam.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    both = a | b
    areas = float(a.sum()), float(b.sum())
    inner = both & ~band & (distance > 3)
    lab = view.lab[here]
    solid = _solidity(a), _solidity(b)
    parts = (areas[0] * solid[0] + areas[1] * solid[1]) / (areas[0] + areas[1])
    peaks = float(distance[a].max()), float(distance[b].max())
    neck, size = float(distance[seam].max()) / min(peaks), min(areas) / max(areas)
    disc = min(np.pi * peak**2 / area for peak, area in zip(peaks, areas, strict=True))
    down, across = np.abs(np.argwhere(a).mean(axis=0) - np.argwhere(b).mean(axis=0))
    inside = float(gradient[inner if inner.any() else both].mean())
    return {
        "neck": neck,
        "size": size,
        "edge": float(np.log((float(gradient[seam].mean()) + 1) / (inside + 1))),
        "step": float(np.linalg.norm(lab[a & band].mean(axis=0) - lab[b & band].mean(axis=0))) / 50,
        "rounder": parts - _solidity(both),
        "solid": min(solid),
        "round": float(disc),
        "both": float(max(0.0, 1 - neck) * np.sqrt(size) * disc),
        "dip": float(soft[both].mean()) - float(soft[seam].mean()),
        "stacked": float(down / max(down + across, 1e-6)),
    }


def neighbours(labels: Labels) -> list[tuple[int, int]]:
    """Pairs of labels, the lower first, that touch."""
    pairs: set[tuple[int, int]] = set()
    for one, other in ((labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])):
        meet = (one != other) & (one > 0) & (other > 0)
        pairs |= set(
            zip(np.minimum(one, other)[meet].tolist(), np.maximum(one, other)[meet].tolist(), strict=True)
        )
    return sorted(pairs)


@dataclass(eq=False)
class _Cells:
    """The parts of a shape while they are joined.

    Attributes:
        view: the picture round the shape.
        labels: ``[H, W]`` from 1 on.
        distance: ``[H, W]`` to the shape's edge.
        answers: for some labels ``[H, W]`` in [0, 1], what lies under a place in the middle of them.
        least: pixels that a thing has.
        models: probabilities of cuts.
    """

    view: View
    labels: Labels
    distance: Plane
    answers: dict[int, Plane]
    least: float
    models: Mapping[str, Logistic]

    def likely(self, pair: tuple[int, int]) -> float:
        """The probability of a cut between two neighbours."""
        one, other = pair
        a, b = self.labels == one, self.labels == other
        if min(a.sum(), b.sum()) < self.least:
            return 0.0
        features = cut_features(self.view, a, b, self.distance)
        if one not in self.answers or other not in self.answers:
            return self.models["cut"].of(features)
        crossing = cross(self.answers[one], self.answers[other], a, b)
        return self.models["asked"].of({**features, **crossing})

    def join(self, pair: tuple[int, int]) -> None:
        """Make two one, under the first one's label; of their answers the wider one's stays."""
        one, other = pair
        peaks = [float(self.distance[self.labels == each].max()) for each in pair]
        answer = self.answers.pop(other, None)
        if answer is not None and (peaks[1] > peaks[0] or one not in self.answers):
            self.answers[one] = answer
        self.labels[self.labels == other] = one


def cross(one: Plane, other: Plane, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> dict[str, float]:
    """How far the answers of two parts reach into each other, see `ASKED_FEATURES`.

    Args:
        one: ``[H, W]`` in [0, 1], what lies under a place in the middle of `a`.
        other: the same of `b`.
        a: ``[H, W]`` a part.
        b: another one.
    """
    reach = [
        float(np.clip(mask[theirs].mean() / max(float(mask[mine].mean()), 0.1), 0, 1))
        for mask, mine, theirs in ((one, a, b), (other, b, a))
    ]
    return {"crossing": sum(reach) / 2, "one_way": max(reach)}


def split(
    view: View,
    solid: NDArray[np.bool_],
    ask: Ask | None = None,
    models: Mapping[str, Logistic] | None = None,
    sure: float = 0.5,
) -> Labels:
    """The things of which a shape ``[H, W]`` is made, labelled from 1 on.

    Its swellings are joined, the least likely cut first, until every cut that is left is likely enough.

    Args:
        view: the picture.
        solid: the shape.
        ask: tells what lies under the middle of each swelling.
        models: probability of a cut, "cut" by `CUT_FEATURES`, "asked" by `ASKED_FEATURES`, too.
        sure: that a cut must be.
    """
    box = box_of(solid)
    out = np.zeros(solid.shape, np.int32)
    if box is None:
        return out
    x, y, w, h = grown(box, 0, *solid.shape)
    here = slice(y, y + h), slice(x, x + w)
    labels, distance = swellings(solid[here])
    answers = {} if ask is None else asked(labels, distance, (x, y), solid.shape, ask)
    near = View(view.lab[here], view.soft[here])
    cells = _Cells(near, labels, distance, answers, _LEAST_SHARE * solid.size, models or read())
    likely = {pair: cells.likely(pair) for pair in neighbours(labels)}
    while likely:
        pair, chance = min(likely.items(), key=lambda item: item[1])
        if chance >= sure:
            break
        cells.join(pair)
        kept = {each: p for each, p in likely.items() if not set(each) & set(pair)}
        likely = kept | {each: cells.likely(each) for each in neighbours(labels) if each not in kept}
    out[here] = np.searchsorted(np.unique(np.r_[0, labels.ravel()]), labels)
    return out


def asked(
    labels: Labels, distance: Plane, corner: tuple[int, int], size: tuple[int, ...], ask: Ask
) -> dict[int, Plane]:
    """What lies under the middle of each of the widest swellings, if there are several: ``[h, w]`` in [0, 1].

    Args:
        labels: ``[h, w]`` of the swellings.
        distance: ``[h, w]`` to the edge.
        corner: x and y of the picture's pixel at which they begin.
        size: height and width of the picture.
        ask: tells what lies under a place.
    """
    count = int(labels.max())
    if count < 2:
        return {}
    peaks = [middle(labels == n, distance) for n in range(1, count + 1)]
    widest = sorted(range(count), key=lambda n: -distance[peaks[n]])[:_MOST_ASKED]
    places = [[Point(corner[0] + peaks[n][1] + 0.5, corner[1] + peaks[n][0] + 0.5)] for n in widest]
    masks, _ = ask(places, (size[0], size[1]))
    here = slice(corner[1], corner[1] + labels.shape[0]), slice(corner[0], corner[0] + labels.shape[1])
    return {n + 1: mask[here] for n, mask in zip(widest, masks, strict=True)}


def middle(part: NDArray[np.bool_], distance: Plane) -> tuple[int, int]:
    """Row and column of the pixel of a part that is farthest from the edge."""
    row, column = np.unravel_index(int(np.argmax(np.where(part, distance, -1))), part.shape)
    return int(row), int(column)


def joined(view: View, labels: Labels) -> Labels:
    """Labels ``[H, W]`` with pieces of one thing given one label: what lies before it has divided it.

    Pieces of like widths and colours are joined if a narrow gap parts them whose sides run along each other
    for most of the narrower piece's width; specks beside a thing belong to it.
    """
    labels = labels.copy()
    number = int(labels.max())
    for a in range(1, number + 1):
        for b in range(a + 1, number + 1):
            one, other = labels == a, labels == b
            if one.any() and other.any() and _belong(view, one, other):
                labels[one] = b
                break
    numbers = np.unique(np.r_[0, labels.ravel()])
    return np.searchsorted(numbers, labels).astype(np.int32)


def _belong(view: View, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether two pieces that do not touch are of one thing."""
    longer = max(one.shape)
    small, large = sorted((one, other), key=lambda shape: int(shape.sum()))
    away = cv2.distanceTransform((~large).astype(np.uint8), cv2.DIST_L2, 5)
    gap = float(away[small].min())
    if gap <= 1.5 or gap > _WIDEST_BAR * longer:
        return False
    if small.sum() < _SPECK * large.sum():
        return gap <= _JOIN * longer
    rim = small & ~(cv2.erode(small.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    facing = np.argwhere(rim & (away <= 1.6 * gap + 1)).astype(float)
    axis = np.linalg.svd(facing - facing.mean(axis=0), full_matrices=False)[2][0]
    widths = [float(np.ptp(np.argwhere(shape) @ axis)) + 1 for shape in (small, large)]
    along = (float(np.ptp(facing @ axis)) + 1) / min(widths)
    if along < _FACING or min(widths) < max(_LIKE_WIDTHS * max(widths), 2 * gap):
        return False
    return float(colours(view.lab[small]) @ colours(view.lab[large])) > _ALIKE
