"""Quadratic Bezier curves along polylines, as few as are true to them. Lengths are in pixels."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.bezier import weights

Array = NDArray[np.float32]

SAMPLES = 25
"""Points of a curve to which those of a polyline are compared."""

CORRECTIONS = 2
"""Times that the places of a polyline are assigned anew to those of the curve that are nearest."""

SWEEP = math.radians(150)
"""Most that one curve turns in all; a parabola is not true to more."""


def fit_curves(
    line: Array, tolerance: float, corner: float = math.radians(50), arm: float = 4.0, least: float = 0.0
) -> Array:
    """The fewest curves, end to end, that stay near a polyline.

    Args:
        line: ``[N, 2]`` places (x, y), N at least 2.
        tolerance: how far they may be from it.
        corner: turn in radians that counts as a corner, where one curve ends and another begins.
        arm: length at each side of a place over which its turn is measured.
        least: length of a curve below which it is made one with its neighbour, if that is true enough.

    Returns:
        ``[K, 3, 2]`` start, control and end of each.

    Raises:
        ValueError: the line has fewer than two points.
    """
    if len(line) < 2:
        raise ValueError(f"line has {len(line)} points, wanted at least 2")
    line = resampled(line, 1.0)
    cuts = [0, *_corners(line, corner, arm, least), len(line) - 1]
    pieces = [
        piece
        for first, last in itertools.pairwise(cuts)
        for piece in _fitted(line[first : last + 1], tolerance, least)
    ]
    return np.stack(pieces).astype(np.float32)


def fit_curve(line: Array) -> Array:
    """The curve ``[3, 2]`` between the ends of a polyline that is nearest to it by least squares."""
    start, end = line[0], line[-1]
    if len(line) < 3:
        return np.stack([start, 0.5 * (start + end), end])
    along = np.concatenate([[0], np.cumsum(np.sqrt((np.diff(line, axis=0) ** 2).sum(-1)))])
    t = (along / max(along[-1], 1e-9))[:, None]
    for _ in range(1 + CORRECTIONS):
        at_start, at_control, at_end = weights(t)
        rest = line - at_start * start - at_end * end
        control = (at_control * rest).sum(0) / max(float((at_control**2).sum()), 1e-9)
        off = rest - at_control * control
        ahead = 2 * ((1 - t) * (control - start) + t * (end - control))
        t = (t + (off * ahead).sum(-1, keepdims=True) / ((ahead**2).sum(-1, keepdims=True) + 1e-9)).clip(0, 1)
    return np.stack([start, control, end]).astype(np.float32)


def resampled(line: Array, step: float) -> Array:
    """The polyline ``[N, 2]`` by places at equal distances, about `step` apart; its ends stay."""
    lengths = np.sqrt((np.diff(line, axis=0) ** 2).sum(-1))
    along = np.concatenate([[0], np.cumsum(lengths)])
    count = max(1, round(along[-1] / step))
    at = np.linspace(0, along[-1], count + 1)
    return np.stack([np.interp(at, along, line[:, n]) for n in (0, 1)], axis=-1).astype(np.float32)


def smoothed(line: Array, scale: float) -> Array:
    """The polyline ``[N, 2]`` without jitter: each place a Gaussian mean of those within some steps."""
    reach = min(math.ceil(2.5 * scale), (len(line) - 1) // 2)
    if reach < 1:
        return line
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * scale**2))
    before, after = 2 * line[0] - line[reach:0:-1], 2 * line[-1] - line[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, line, after])
    columns = [np.convolve(padded[:, n], kernel / kernel.sum(), "valid") for n in (0, 1)]
    return np.stack(columns, axis=-1).astype(np.float32)


def length_of(line: Array) -> float:
    """Length of a polyline ``[N, 2]``."""
    return float(np.sqrt((np.diff(line, axis=0) ** 2).sum(-1)).sum())


def curve_points(curve: Array, count: int = SAMPLES) -> Array:
    """``[count, 2]`` places along a curve ``[3, 2]`` at equal steps of its parameter."""
    at_start, at_control, at_end = weights(np.linspace(0, 1, count, dtype=np.float32)[:, None])
    return np.asarray(at_start * curve[0] + at_control * curve[1] + at_end * curve[2], np.float32)


def _fitted(line: Array, tolerance: float, least: float) -> list[Array]:
    """Curves along a smooth polyline: equal pieces where these do, else each as long as can be."""
    greedy, starts, first = list[Array](), list[int](), 0
    while first < len(line) - 1:
        last = _farthest(line, first, tolerance)
        greedy.append(fit_curve(line[first : last + 1]))
        starts.append(first)
        first = last
    if len(greedy) < 2:
        return greedy
    short = last - starts[-1] < least
    if short and len(greedy) == 2 and _near(fit_curve(line), line, 2 * tolerance):
        return [fit_curve(line)]
    cuts = np.linspace(0, len(line) - 1, len(greedy) + 1).round().astype(int)
    equal = [line[a : b + 1] for a, b in itertools.pairwise(cuts)]
    fits = [fit_curve(piece) for piece in equal]
    good = all(_near(fit, piece, 1.2 * tolerance) for fit, piece in zip(fits, equal, strict=True))
    return fits if good or short else greedy


def _farthest(line: Array, first: int, tolerance: float) -> int:
    """The last place that one curve from the first one reaches."""
    good, step = first + 1, 4
    while good < len(line) - 1:  # gallop, then halve
        ahead = min(good + step, len(line) - 1)
        piece = line[first : ahead + 1]
        if _near(fit_curve(piece), piece, tolerance):
            good, step = ahead, 2 * step
        elif step == 1:
            break
        else:
            step = max(1, step // 4)
    return good


def _near(curve: Array, line: Array, tolerance: float) -> bool:
    """Whether all of a polyline is within a distance of a curve that does not turn too far."""
    first, second = curve[1] - curve[0], curve[2] - curve[1]
    cross, dot = float(first[0] * second[1] - first[1] * second[0]), float((first * second).sum())
    if abs(math.atan2(cross, dot)) > SWEEP:
        return False
    points = curve_points(curve)
    edges, starts = np.diff(points, axis=0), points[:-1]
    lengths = (edges**2).sum(-1) + 1e-12
    apart = line[:, None] - starts
    share = ((apart * edges).sum(-1) / lengths).clip(0, 1)
    distance = ((apart - share[..., None] * edges) ** 2).sum(-1).min(axis=1)
    return float(distance.max()) <= tolerance**2


def _corners(line: Array, corner: float, arm: float, least: float) -> list[int]:
    """Numbers of the places at which a polyline with steps of 1 turns most, if by so much."""
    reach = max(2, round(arm))
    if len(line) < 2 * reach + 1:
        return []
    before, after = line[reach:-reach] - line[: -2 * reach], line[2 * reach :] - line[reach:-reach]
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turn = np.abs(np.arctan2(cross, (before * after).sum(-1)))
    found: list[int] = []
    while float(turn.max(initial=0)) > corner:
        place = int(turn.argmax())
        found.append(place + reach)
        turn[max(0, place - 2 * reach) : place + 2 * reach + 1] = 0
    edge = max(1.5 * reach, least)
    return sorted(place for place in found if edge < place < len(line) - 1 - edge)
