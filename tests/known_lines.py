"""Pictures of known lines, by the distance of pixels to them."""

from __future__ import annotations

import numpy as np


def pixels(height: int, width: int) -> np.ndarray:
    """Centres (x, y) of pixels ``[H, W, 2]``."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    return np.stack([x, y], axis=-1)


def segment(places: np.ndarray, start: tuple, end: tuple) -> np.ndarray:
    """Distance of places ``[..., 2]`` to a segment."""
    start, edge = np.array(start, float), np.subtract(end, start).astype(float)
    share = ((places - start) @ edge / (edge @ edge)).clip(0, 1)
    return np.linalg.norm(places - start - share[..., None] * edge, axis=-1)


def arc(places: np.ndarray, centre: tuple, radius: float, begin: float, sweep: float) -> np.ndarray:
    """Distance to the arc from an angle on, in degrees clockwise from the x axis."""
    from_centre = places - np.array(centre, float)
    angle = np.degrees(np.arctan2(from_centre[..., 1], from_centre[..., 0]))
    within = (angle - begin) % 360 <= sweep
    ends = [
        np.linalg.norm(from_centre - radius * np.array([np.cos(a), np.sin(a)]), axis=-1)
        for a in np.radians([begin, begin + sweep])
    ]
    return np.where(within, np.abs(np.linalg.norm(from_centre, axis=-1) - radius), np.minimum(*ends))


def inked(
    distances: list[np.ndarray], halves: list[float], ink=(0.1, 0.1, 0.1), paper=(1, 1, 1)
) -> np.ndarray:
    """The picture ``[H, W, 3]`` of lines of these half-widths, their edges one pixel soft."""
    cover = np.zeros_like(distances[0])
    for distance, half in zip(distances, halves, strict=True):
        cover = np.maximum(cover, (half + 0.5 - distance).clip(0, 1))
    return (np.array(paper) + cover[..., None] * np.subtract(ink, paper)).astype(np.float32)


def bezier(strokes: np.ndarray, side: float, count: int = 60) -> np.ndarray:
    """Places ``[N, count, 2]`` in pixels along packed strokes ``[N, 13]``."""
    t = np.linspace(0, 1, count)[:, None]
    start, control, end = (side * strokes[:, None, n : n + 2] for n in (0, 2, 4))
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
