"""Curves along polylines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.painter.lines.curves import fit_curves, length_of, resampled, smoothed

PLACES = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=12, unique=True)


def on_arc(radius: float, degrees: float, count: int = 200) -> np.ndarray:
    angles = np.radians(np.linspace(0, degrees, count))
    return (radius * np.stack([np.cos(angles), np.sin(angles)], -1)).astype(np.float32)


def along(curves: np.ndarray, count: int = 50) -> np.ndarray:
    t = np.linspace(0, 1, count)[:, None]
    return np.concatenate([(1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in curves])


def test_a_straight_line_is_one_curve():
    line = np.linspace((3, 4), (90, 40), 50).astype(np.float32)
    (curve,) = fit_curves(line, 0.1)
    np.testing.assert_allclose(curve[[0, 2]], [(3, 4), (90, 40)], atol=1e-4)
    np.testing.assert_allclose(curve[1], (46.5, 22), atol=0.1)


def test_a_parabola_is_found_again():
    t = np.linspace(0, 1, 400)[:, None]
    line = (1 - t) ** 2 * (0, 0) + 2 * t * (1 - t) * (50, 40) + t**2 * (100, 0)
    (curve,) = fit_curves(line.astype(np.float32), 0.5)
    np.testing.assert_allclose(curve, [(0, 0), (50, 40), (100, 0)], atol=0.5)


@pytest.mark.parametrize(("degrees", "most"), [(60, 1), (100, 2), (180, 3), (360, 6)])
def test_arcs_take_few_curves_and_stay_near(degrees: float, most: int):
    curves = fit_curves(on_arc(60, degrees), 0.6)
    assert len(curves) <= most
    assert np.abs(np.linalg.norm(along(curves), axis=-1) - 60).max() < 0.8


def test_a_corner_stays_sharp():
    corner = np.concatenate([np.linspace((0, 0), (50, 0), 51), np.linspace((50, 1), (50, 40), 40)])
    curves = fit_curves(corner.astype(np.float32), 0.4)
    assert len(curves) == 2
    assert np.linalg.norm(curves[0, 2] - (50, 0)) < 2


@given(PLACES)
def test_curves_hang_together_and_keep_the_ends(places: list):
    line = np.array(places, np.float32)
    curves = fit_curves(line, 0.5)
    np.testing.assert_allclose(curves[0, 0], line[0], atol=1e-3)
    np.testing.assert_allclose(curves[-1, 2], line[-1], atol=1e-3)
    np.testing.assert_array_equal(curves[:-1, 2], curves[1:, 0])


@given(PLACES, st.floats(0.5, 5))
def test_resampling_keeps_the_ends_and_never_lengthens(places: list, step: float):
    line = np.array(places, np.float32)
    found = resampled(line, step)
    np.testing.assert_allclose(found[[0, -1]], line[[0, -1]], atol=1e-3)
    assert length_of(found) <= length_of(line) + 1e-2


def test_smoothing_leaves_straight_lines_and_takes_jitter_away():
    line = np.linspace((0, 0), (60, 30), 61).astype(np.float32)
    np.testing.assert_allclose(smoothed(line, 2), line, atol=1e-4)
    rough = line + np.array([[0, 0.5], [0, -0.5]], np.float32)[np.arange(61) % 2]
    assert np.abs((smoothed(rough, 2) - line)[8:-8]).max() < 0.1


def test_a_line_needs_two_points():
    with pytest.raises(ValueError, match="at least 2"):
        fit_curves(np.zeros((1, 2), np.float32), 1.0)
