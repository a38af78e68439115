"""Pictures that are line drawings: recognised, and drawn again line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import sample
from semantic_guidance.painter.lines.curves import fit_curve, fit_curves, length_of, resampled, smoothed
from semantic_guidance.painter.lines.sheet import Told, unwatched
from semantic_guidance.painter.lines.skeleton import paths
from semantic_guidance.painter.lines.tracing import bilinear

Array = NDArray[np.float32]
Color = tuple[float, float, float]

GLANCE = 768
"""Longer side, in pixels, at which a picture is judged."""

BROAD = 0.008
"""Half-width from which a shape is no line, in units of the longer side."""

PAPER_TONE = 0.1
"""Difference from the ground below which a pixel is bare."""

DETAIL = 2400
"""Longest side, in pixels, at which lines are looked for."""

WIDE_ENOUGH = 2.2
"""Half-width in pixels, of the thinner lines, to which a picture is enlarged before they are traced."""

FILLED = 1.6
"""What is this much wider than most lines is a filled shape."""

OFF = 0.5
"""How far a curve may be off the middle of its line, in pixels of the picture, or 0.3 half-widths."""

LOOSE = 2.5
"""How much farther curves may be off where there are too few of them."""

EVEN = 1.6
"""A line whose half-widths differ by no more than this factor has one width."""


@dataclass(frozen=True, eq=False)
class LineArt:
    """A line drawing, drawn again.

    Attributes:
        strokes: ``[N, 13]`` packed strokes, opaque, in units of the longer side; filled shapes first, then
            lines, from the longest on.
        ground: RGB of the ground.
    """

    strokes: Array
    ground: Color


def is_line_drawing(picture: Array) -> bool:
    """Whether a picture ``[H, W, 3]`` in [0, 1] is a line drawing: `line_score` of at least .5."""
    return line_score(picture) >= 0.5


def line_score(picture: Array) -> float:
    """How far a picture is a line drawing: thin lines of one tone on a plain ground of another.

    It is the least of four shares, each 0 to 1 and .5 at its bound: how much of the picture is bare ground,
    how even the ground is, how much of what is drawn is thin, and how clearly it stands out.

    Args:
        picture: ``[H, W, 3]`` in [0, 1].
    """
    height, width = picture.shape[:2]
    shrink = min(1.0, GLANCE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    tone, ground = _on_light(small)
    depth = np.maximum(ground - tone, 0)
    drawn = depth > PAPER_TONE
    if drawn.mean() < 1e-3:
        return 0.0
    reach = max(1, round(BROAD * max(tone.shape)))
    broad = cv2.morphologyEx(depth, cv2.MORPH_OPEN, _disc(reach))
    thin = 1 - float(broad[drawn].sum() / depth[drawn].sum())
    uneven = float(np.subtract(*np.percentile(ground, (97, 3))))
    grain = (
        float(np.median(np.abs(cv2.Laplacian(small.mean(-1), cv2.CV_32F))[~drawn])) if (~drawn).any() else 1.0
    )
    shares = (
        _share(1 - float(drawn.mean()), 0.4, 0.6, 0.95),
        _share(-uneven - 4 * grain, -0.6, -0.3, -0.02),
        _share(thin, 0.4, 0.68, 0.95),
        _share(float(np.percentile(depth[drawn], 80)), 0.1, 0.22, 0.6),
    )
    return min(shares)


def as_lines(picture: Array, count: int, told: Told = unwatched) -> LineArt:
    """A line drawing, line by line: the middle of each, its width and its colour.

    Lines go straight on where they cross; one that ends on another ends on its middle. Nothing is shorter
    than about two widths but dots that are wider than lines, which are one stroke each.

    Args:
        picture: ``[H, W, 3]`` in [0, 1].
        count: greatest number of strokes; the longest and widest are kept.
        told: of the drawing as far as it goes, again and again; it stays so if it is not to go on.

    Raises:
        ValueError: the count is not positive.
    """
    if count < 1:
        raise ValueError(f"count is {count}, wanted at least 1")
    depth, paper = _depth(picture), ground_of(picture)
    shape, zoom = _shape(depth)
    room = _rooms(shape)
    traced = [_Trace.of(path, shape, room) for path in paths((shape > 0.5).astype(np.uint8))]
    usual = float(np.median([each.half for each in traced])) if traced else 1.0
    kept = [each for each in traced if each.length >= 4 * each.half or each.half > FILLED * usual]
    kept.sort(key=lambda each: (each.half <= FILLED * usual, -each.length))
    side, strokes = max(picture.shape[:2]), list[Array]()

    def drawn() -> Array:
        return _largest(strokes, count, side)

    for loose in (1.0, LOOSE):
        strokes.clear()
        for each in kept:
            strokes += each.strokes(picture, paper, zoom, loose)
            if not told(drawn):
                return LineArt(drawn(), paper)
        if len(strokes) <= count:
            break
    return LineArt(drawn(), paper)


def _largest(strokes: Sequence[Array], count: int, side: int) -> Array:
    """``[N, 13]`` the largest of packed strokes in pixels, N at most `count`, in units of a side."""
    packed = np.array(strokes, np.float32).reshape(-1, 13)
    size = np.hypot(*(packed[:, 4:6] - packed[:, :2]).T) + packed[:, 6:8].sum(axis=1)
    best = np.argsort(-size * packed[:, 6:8].mean(axis=1), kind="stable")[:count]
    packed = packed[np.sort(best)]
    packed[:, :8] /= side
    return packed


def ground_of(picture: Array) -> Color:
    """Colour of the ground of a line drawing ``[H, W, 3]``."""
    depth = _depth(picture)
    bare = picture[depth <= max(0.5 * PAPER_TONE, float(depth.min()))]
    red, green, blue = np.median(bare.reshape(-1, 3), axis=0).tolist()
    return red, green, blue


def _depth(picture: Array) -> Array:
    """How far pixels ``[H, W]`` stand out from the ground around."""
    tone, ground = _on_light(picture)
    return np.asarray(np.maximum(ground - tone, 0), np.float32)


def _on_light(picture: Array) -> tuple[Array, Array]:
    """Tone ``[H, W]``, turned over if lines are light, and the tone of the ground around."""
    tones, edges = np.histogram(picture.mean(axis=-1), 32, (0, 1))
    mode = float(edges[np.convolve(tones, [1, 1, 1], "same").argmax()]) + 1 / 64
    tone = picture.min(axis=-1) if mode >= 0.5 else 1 - picture.max(axis=-1)
    side = max(tone.shape)
    shrink = min(1.0, 256 / side)
    size = max(1, round(tone.shape[1] * shrink)), max(1, round(tone.shape[0] * shrink))
    small = cv2.resize(tone, size, interpolation=cv2.INTER_AREA)
    closed = cv2.morphologyEx(
        cv2.dilate(small, _disc(1)), cv2.MORPH_CLOSE, _disc(max(1, round(0.06 * max(size))))
    )
    soft = cv2.GaussianBlur(closed, (0, 0), 0.03 * max(size), borderType=cv2.BORDER_REPLICATE)
    ground = cv2.resize(soft, tone.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(tone, np.float32), np.asarray(ground, np.float32)


def _shape(depth: Array) -> tuple[Array, float]:
    """How far pixels belong to lines ``[h, w]``, .5 at their edges, enlarged; and by how much."""
    share = _relative(depth)
    inside = (share > 0.5).astype(np.uint8)
    area = float(inside.sum())
    rim = float((inside - cv2.erode(inside, np.ones((3, 3), np.uint8))).sum())
    half = area / max(rim, 1.0)  # about the half-width of lines
    zoom = float(np.clip(WIDE_ENOUGH / max(half, 0.4), 1.0, 3.0))
    zoom = max(0.25, min(zoom, DETAIL / max(depth.shape)))
    size = round(depth.shape[1] * zoom), round(depth.shape[0] * zoom)
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return _relative(np.asarray(cv2.resize(depth, size, interpolation=method), np.float32)), zoom


def _relative(depth: Array) -> Array:
    """Depth ``[H, W]`` against the deepest nearby: 1 in the middle of lines, faint ones too."""
    reach = max(2, round(0.006 * max(depth.shape)))
    deepest = cv2.blur(cv2.dilate(depth, _disc(reach)), (2 * reach + 1, 2 * reach + 1))
    return np.asarray(np.clip(depth / np.maximum(deepest, PAPER_TONE), 0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class _Trace:
    """A line that was found. Lengths are in pixels of the enlarged picture.

    Attributes:
        places: ``[N, 2]``.
        halves: ``[N]`` half-widths.
        half: the usual one.
        length: of the line.
    """

    places: Array
    halves: Array
    half: float
    length: float

    @staticmethod
    def of(path: Array, shape: Array, room: Array) -> _Trace:
        """The line along a path of pixels, moved to the middle of what is drawn."""
        if len(path) < 3:
            half = float(sample(room, path).max())
            return _Trace(path, np.full(len(path), half, np.float32), half, length_of(path))
        closed = bool((path[0] == path[-1]).all())
        line = resampled(smoothed(path, 2.0), 1.0)
        halves = smoothed_values(sample(room, line), 3.0)
        line, wide = _centred(line, halves, shape)
        even = np.percentile(halves, 85) <= EVEN * max(float(np.percentile(halves, 25)), 0.5)
        half = float(np.median(wide)) if even else float(np.median(halves))
        line = smoothed(line, 2.0)
        if closed:
            line[-1] = line[0]
        return _Trace(line, np.full(len(line), half, np.float32) if even else halves, half, length_of(line))

    def strokes(self, picture: Array, paper: Color, zoom: float, loose: float) -> list[Array]:
        """Packed strokes in pixels of the picture; `loose` is a factor of what they may be off."""
        tolerance = loose * max(OFF * zoom, 0.3 * self.half)
        if len(self.places) < 2 or self.length < 0.5 * self.half:
            middle = self.places.mean(axis=0)
            curves = np.stack([middle, middle, middle])[None]
        elif self.length < 2 * self.half:
            curves = fit_curve(self.places)[None]
        else:
            curves = fit_curves(self.places, tolerance, arm=max(4.0, 2.5 * self.half), least=4 * self.half)
        near = ((curves[:, (0, 2), None] - self.places) ** 2).sum(-1).argmin(axis=-1)  # [K, 2]
        found = []
        for curve, (first, last) in zip(curves, near.tolist(), strict=True):
            part = slice(min(first, last), max(first, last) + 1)
            start, end = _ramp(self.halves[part] if first <= last else self.halves[part][::-1])
            color = _color(picture, self.places[part] / zoom, self.half / zoom, paper)
            found.append(np.array([*(curve / zoom).ravel(), start / zoom, end / zoom, 1, 1, *color]))
        return found


def smoothed_values(values: Array, scale: float) -> Array:
    """Values ``[N]`` along a line, smooth over some steps."""
    return smoothed(np.stack([values, values], axis=-1), scale)[:, 0]


def _rooms(shape: Array) -> Array:
    """``[H, W]`` distance from each pixel within the shapes to their edge."""
    inside = np.pad((shape > 0.5).astype(np.uint8), 1)
    return np.maximum(
        cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1] - 0.3, 0.3
    )


def _centred(line: Array, halves: Array, shape: Array) -> tuple[Array, Array]:
    """The line, moved across itself to the middle of what is drawn there, and its half-widths ``[N]``."""
    ahead = np.gradient(line, axis=0)
    across = np.stack([-ahead[:, 1], ahead[:, 0]], axis=-1)
    across /= np.sqrt((across**2).sum(-1, keepdims=True)) + 1e-9
    count = 31
    offsets = np.linspace(-1, 1, count)[None] * (halves[:, None] + 2.0)
    drawn = bilinear(shape, line[:, None] + offsets[..., None] * across[:, None])
    middle = count // 2
    for way in (slice(middle, None), slice(middle, None, -1)):  # what lies beyond a gap is another line
        drawn[:, way] = np.where(np.minimum.accumulate(drawn[:, way], axis=1) < 0.06, 0, drawn[:, way])
    total = drawn.sum(axis=1)
    wide = 0.5 * total * (halves + 2.0) * 2 / (count - 1)
    off = (drawn * offsets).sum(axis=1) / np.maximum(total, 1e-6)
    usual = float(np.median(wide))
    plain = (wide < 1.25 * usual) & (wide > 0.6 * usual)  # not where another line meets it
    off = smoothed_values(np.where(plain, off, 0).astype(np.float32), 2.0)
    return (line + off[:, None] * across).astype(np.float32), wide[plain] if plain.any() else wide


def _ramp(values: Array) -> tuple[float, float]:
    """First and last value of the straight line through values ``[N]``."""
    if len(values) < 3:
        return float(values[0]), float(values[-1])
    slope, start = np.polyfit(np.linspace(0, 1, len(values)), values, 1)
    return max(0.3, float(start)), max(0.3, float(start + slope))


def _color(picture: Array, places: Array, half: float, paper: Color) -> Array:
    """The colour of a line: that of its middle, or a stronger one where it is thinner than a pixel."""
    colors = sample(picture, places)
    apart = np.abs(colors - np.array(paper, np.float32)).sum(-1)
    middle = np.median(colors[apart >= np.percentile(apart, 60)], axis=0)
    depth = max(1.0, 0.5 / max(half, 0.2))
    return np.asarray((paper + (middle - paper) * depth).clip(0, 1), np.float32)


def _disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8
    )


def _share(value: float, low: float, middle: float, high: float) -> float:
    """0 at `low`, .5 at `middle`, 1 at `high`."""
    return float(np.interp(value, (low, middle, high), (0, 0.5, 1)))
