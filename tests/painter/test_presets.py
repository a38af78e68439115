"""The refinement's schedules, by hand; that they are followed is tested with `Refiner`."""

from __future__ import annotations

import math

import pytest

from semantic_guidance.painter.presets import RefineConfig


def test_rates_fall_as_a_cosine() -> None:
    config = RefineConfig(steps=200)
    assert config.rate_at(0) == 1
    assert config.rate_at(50) == pytest.approx(0.03 + 0.97 * (0.5 + math.sqrt(0.125)))
    assert config.rate_at(100) == pytest.approx(0.515)
    assert config.rate_at(200) == pytest.approx(0.03)


def test_edges_get_sharp_in_the_first_six_tenths() -> None:
    """From 2 pixels to 1, by the same factor in each step."""
    config = RefineConfig(steps=200)
    assert [config.softness_at(step) for step in (0, 60, 120, 200)] == pytest.approx([2, math.sqrt(2), 1, 1])
    assert RefineConfig(steps=10, softness=(8.0, 2.0), annealed=1.0).softness_at(5) == pytest.approx(4)
