"""Oklab is that of CSS, and few colours stand for many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semantic_guidance.images.oklab import from_oklab, nearest, representatives, to_oklab

CSS = [
    ((1, 1, 1), (1, 0, 0)),
    ((0, 0, 0), (0, 0, 0)),
    ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
    ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
    ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
]
"""sRGB and Oklab of https://www.w3.org/TR/css-color-4/."""

share = st.floats(0, 1)


@pytest.mark.parametrize(("color", "wanted"), CSS)
def test_known_colors(color, wanted):
    assert to_oklab(np.array(color)).tolist() == pytest.approx(wanted, abs=5e-5)


@given(arrays(np.float64, (7, 3), elements=share))
def test_there_and_back(colors):
    assert np.allclose(from_oklab(to_oklab(colors)), colors, atol=1e-5)


@given(arrays(np.float64, (9, 3), elements=share), arrays(np.float64, (4, 3), elements=share))
@settings(max_examples=30)
def test_nearest_is_nearest(colors, palette):
    apart = np.linalg.norm(to_oklab(colors)[:, None] - to_oklab(palette), axis=2)
    chosen = apart[np.arange(9), nearest(colors, palette)]
    assert np.allclose(chosen, apart.min(axis=1), atol=1e-6)


def test_a_small_group_far_from_the_others_is_kept():
    """A yellow eye among browns."""
    rng = np.random.default_rng(0)
    browns = np.array([0.4, 0.3, 0.2]) + rng.normal(0, 0.08, (500, 3)).clip(-0.15, 0.15)
    yellow = np.array([[0.95, 0.85, 0.1]] * 3)
    chosen = representatives(np.concatenate([browns, yellow]), np.ones(503), 4)
    assert np.abs(chosen - yellow[0]).max(axis=1).min() < 0.05


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_as_many_as_there_are(count):
    colors = np.array([[0.1, 0.2, 0.3], [0.9, 0.1, 0.1], [0.5, 0.5, 0.5]])
    chosen = representatives(colors, np.ones(3), count)
    assert len(chosen) == min(count, 3)
    if count >= 3:
        assert np.allclose(np.sort(chosen, axis=0), np.sort(colors, axis=0), atol=1e-5)
