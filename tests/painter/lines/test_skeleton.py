"""Middle lines of shapes."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import euler_number, label

from semantic_guidance.painter.lines.skeleton import paths, thinned
from tests.known_lines import arc, pixels, segment

PLACES = pixels(120, 160)


def shape(*distances: np.ndarray, half: float = 2.0) -> np.ndarray:
    return (np.min(distances, axis=0) < half).astype(np.uint8)


def test_a_bar_is_one_path_along_its_middle():
    (path,) = paths(shape(segment(PLACES, (20, 30), (130, 80))))
    assert segment(path.astype(float), (20, 30), (130, 80)).max() < 1
    assert np.linalg.norm(path[0] - path[-1]) > 0.95 * np.hypot(110, 50)


@pytest.mark.parametrize("degrees", [35, 60, 90])
def test_two_bars_that_cross_are_two_paths(degrees: float):
    centre, off = (
        np.array([80, 60]),
        50 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]),
    )
    first, second = ((30, 60), (130, 60)), (tuple(centre - off), tuple(centre + off))
    found = paths(shape(segment(PLACES, *first), segment(PLACES, *second)))
    assert len(found) == 2
    for path in found:
        assert min(segment(path.astype(float), *bar).max() for bar in (first, second)) < 1.6


def test_a_bar_that_ends_on_another_touches_its_middle():
    found = paths(shape(segment(PLACES, (20, 60), (140, 60)), segment(PLACES, (80, 60), (80, 110))))
    assert len(found) == 2
    short = min(found, key=len)
    assert abs(short[:, 1].min() - 60) < 1.5


def test_a_ring_is_closed():
    (path,) = paths(shape(arc(PLACES, (80, 60), 40, 0, 360)))
    np.testing.assert_array_equal(path[0], path[-1])
    assert np.abs(np.linalg.norm(path - (80, 60), axis=-1) - 40).max() < 1.2


def test_a_disc_is_a_dot_in_its_centre():
    (path,) = paths((np.linalg.norm(PLACES - (70, 50), axis=-1) < 15).astype(np.uint8))
    assert np.abs(path - (70, 50)).max() < 2


def test_thinning_keeps_pieces_and_holes():
    rng = np.random.default_rng(3)
    bars = [segment(PLACES, *rng.uniform((5, 5), (150, 110), (2, 2))) for _ in range(12)]
    whole = shape(*bars, half=2.5)
    thin = thinned(whole)
    assert label(thin, connectivity=2).max() == label(whole, connectivity=2).max()
    assert euler_number(thin, connectivity=2) == euler_number(whole, connectivity=2)
    assert thin.sum() < 0.3 * whole.sum()
    assert not (thin & ~whole & 1).any()


def test_nothing_comes_of_nothing():
    assert paths(np.zeros((20, 30), np.uint8)) == []
