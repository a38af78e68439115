"""Which states of the canvas a video of the painting process shows."""

from __future__ import annotations

import itertools
import math

from semantic_guidance.painting.drawing import Drawing

EASING = 1.5  # exponent: large first strokes are few per second, small last ones many
SECONDS_A_STROKE = 0.2  # at most, for paintings of few strokes
FEW, MANY = 8.0, 12.0  # seconds of painting up to 300 strokes, and for any number of them
OBJECT_TIME = 0.5  # share of the time that goes to the strokes of objects, or their share of the strokes

Pace = list[tuple[int, float]]
"""Stretches of strokes and how many seconds each takes."""


def pace(painting: Drawing, seconds: float | None = None) -> Pace:
    """How the time is spent: on the background, then on the objects, each from slow to fast.

    Args:
        painting: what is painted.
        seconds: of painting; by the number of strokes if None.
    """
    groups = [
        (level, sum(len(layer.strokes) for layer in group))
        for level, group in itertools.groupby(painting.layers, key=lambda layer: layer.level)
    ]
    strokes = sum(count for _, count in groups)
    if strokes == 0:
        return []
    if seconds is None:
        longest = min(MANY, FEW + 2 * math.log10(max(strokes, 300) / 300))
        seconds = min(SECONDS_A_STROKE * strokes, longest)
    objects = painting.foreground_strokes
    share = objects / strokes if objects in (0, strokes) else max(OBJECT_TIME, objects / strokes)
    each = {
        "foreground": share / objects if objects else 0.0,
        "background": (1 - share) / (strokes - objects) if objects < strokes else 0.0,
    }
    return [(count, seconds * count * each[level]) for level, count in groups if count]


def schedule(parts: Pace, rate: float) -> list[int]:
    """Number of strokes on the canvas in each frame: 0 in the first one, all in the last one.

    Args:
        parts: what `pace` returns.
        rate: frames per second.
    """
    strokes = sum(count for count, _ in parts)
    frames = max(1, round(rate * sum(seconds for _, seconds in parts)))
    counts = [0]
    for frame in range(1, frames):
        done, time = 0, frame / rate
        for count, seconds in parts:
            if time < seconds:
                done += round(count * (time / seconds) ** EASING)
                break
            done, time = done + count, time - seconds
        counts.append(done)
    return [*counts, strokes]
