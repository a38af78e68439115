"""Thin lines of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from semantic_guidance.painter.lines.ridges import ridges
from tests.known_lines import arc, bezier, inked, pixels, segment

SIDE = 300
PLACES = pixels(200, SIDE)
RADII = (0.5 / SIDE, 4 / SIDE)


@pytest.mark.parametrize("half", [0.5, 1.0, 1.5, 2.5])
@pytest.mark.parametrize(
    ("ink", "paper"), [((0.1, 0.15, 0.2), (0.8, 0.8, 0.75)), ((0.9, 0.9, 0.9), (0.3, 0.35, 0.3))]
)
def test_a_line_is_found_with_its_width_and_colour(half: float, ink: tuple, paper: tuple):
    ends = (40.3, 50.7), (251.2, 140.4)
    picture = inked([segment(PLACES, *ends)], [half], ink, paper)
    strokes = ridges(picture, RADII, 10)
    assert len(strokes) == 1
    beyond = (37.5, 49.5), (254.0, 141.6)  # the same line, a little longer
    assert segment(bezier(strokes, SIDE)[0], *beyond).max() < 0.35
    length = np.linalg.norm(strokes[0, 4:6] - strokes[0, :2]) * SIDE
    assert length == pytest.approx(np.hypot(210.9, 89.7), abs=4)
    assert strokes[0, 6] * SIDE == pytest.approx(half, abs=0.25)
    share = ((strokes[0, 10:] - paper) / np.subtract(ink, paper)).mean()  # a thinner line may be fainter
    assert share * strokes[0, 6] * SIDE == pytest.approx(half, rel=0.15)
    np.testing.assert_array_equal(strokes[0, 8:10], 1)


def test_an_edge_is_no_ridge():
    picture = np.where((PLACES[..., :1] > 150), 0.2, 0.8).repeat(3, axis=-1).astype(np.float32)
    assert len(ridges(picture, RADII, 10)) == 0
    assert len(ridges(np.full((60, 80, 3), 0.5, np.float32), RADII, 10)) == 0


def test_what_is_wide_is_no_ridge():
    picture = inked([segment(PLACES, (50, 100), (250, 100))], [14.0])
    assert len(ridges(picture, RADII, 10)) == 0


def test_spokes_are_each_one_stroke():
    angles = np.radians(np.arange(0, 360, 30) + 7)
    spokes = [
        segment(
            PLACES, (150 + 20 * np.cos(a), 100 + 20 * np.sin(a)), (150 + 85 * np.cos(a), 100 + 85 * np.sin(a))
        )
        for a in angles
    ]
    strokes = ridges(inked(spokes, [1.0] * 12), RADII, 100)
    assert len(strokes) == 12
    ways = strokes[:, 4:6] - strokes[:, :2]
    found = np.sort(np.degrees(np.arctan2(ways[:, 1], ways[:, 0])) % 30)
    np.testing.assert_allclose(found, 7, atol=1.5)


def test_those_worth_most_come_first_and_no_more_than_wanted():
    lines = [segment(PLACES, (30, y), (30 + length, y)) for y, length in ((40, 60), (90, 220), (150, 120))]
    strokes = ridges(inked(lines, [1.2] * 3), RADII, 2)
    np.testing.assert_allclose(strokes[:, 1] * SIDE, [90, 150], atol=1)
    weight = np.where(PLACES[..., 1] < 60, 20, 1).astype(np.float32)
    assert ridges(inked(lines, [1.2] * 3), RADII, 1, weight)[0, 1] * SIDE == pytest.approx(40, abs=1)


def test_a_circle_takes_few_strokes():
    strokes = ridges(inked([arc(PLACES, (150, 100), 70, 0, 360)], [1.2]), RADII, 100)
    assert 4 <= len(strokes) <= 9
    off = np.linalg.norm(bezier(strokes, SIDE) - (150, 100), axis=-1) - 70
    assert np.abs(off).max() < 1


@pytest.mark.parametrize(("radius", "count"), [((0, 0.01), 3), ((0.02, 0.01), 3), ((0.001, 0.01), 0)])
def test_wrong_arguments_are_named(radius: tuple, count: int):
    with pytest.raises(ValueError, match="wanted"):
        ridges(np.ones((20, 20, 3), np.float32), radius, count)
