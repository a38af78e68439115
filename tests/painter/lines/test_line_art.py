"""Line drawings, recognised and drawn again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance import Strokes, load_image, render
from semantic_guidance.images.arrays import to_array
from semantic_guidance.painter.lines.art import as_lines, is_line_drawing, line_score
from tests.known_lines import arc, bezier, inked, pixels, segment

EXAMPLES = Path(__file__).parents[3] / "examples"
SIDE = 400
PLACES = pixels(SIDE, SIDE)


def known(count: int, seed: int) -> tuple[list, list]:
    """Distances to lines, every third one an arc, and their half-widths."""
    rng = np.random.default_rng(seed)
    lines = []
    for n in range(count):
        x, y = rng.uniform(90, SIDE - 90, 2)
        if n % 3:
            off = rng.uniform(30, 80) * np.array([np.cos(a := rng.uniform(0, np.pi)), np.sin(a)])
            lines.append(segment(PLACES, (x - off[0], y - off[1]), (x + off[0], y + off[1])))
        else:
            lines.append(arc(PLACES, (x, y), rng.uniform(35, 80), rng.uniform(0, 360), rng.uniform(50, 110)))
    return lines, list(rng.uniform(0.9, 2.2, count))


def face() -> np.ndarray:
    """A face: an outline, eyes with pupils, a mouth, hair and hatching."""
    middle = np.array([200, 190])
    hair = []
    for angle in np.radians(np.arange(190, 351, 8)):
        way = np.array([np.cos(angle), np.sin(angle)])
        hair.append(segment(PLACES, tuple(middle + 130 * way), tuple(middle + 175 * way)))
    hatching = [segment(PLACES, (120 + 12 * n, 385), (128 + 12 * n, 350)) for n in range(14)]
    eyes = [arc(PLACES, (x, 160), 24, 0, 360) for x in (150, 250)]
    pupils = [np.linalg.norm(PLACES - (x, 160), axis=-1) for x in (150, 250)]
    rest = [arc(PLACES, (200, 190), 130, 0, 360), arc(PLACES, (200, 210), 60, 30, 120)]
    lines = [*hair, *hatching, *eyes, *pupils, *rest]
    return inked(lines, [0.8] * len(hair) + [0.7] * 14 + [1.0] * 2 + [10.0] * 2 + [1.8] * 2)


def painted(strokes: np.ndarray, ground: tuple, height: int, width: int) -> np.ndarray:
    canvas = torch.tensor(ground).view(1, 3, 1, 1).expand(1, 3, height, width).contiguous()
    return to_array(render(Strokes.unpack(torch.from_numpy(strokes)[None]), canvas)[0])


def agreement(picture: np.ndarray, drawn: np.ndarray, paper: tuple) -> tuple[float, float]:
    """Share of the picture's ink within a pixel of the drawing's, and the other way round."""
    first, second = (np.abs(each - np.array(paper)).max(-1) > 0.3 for each in (picture, drawn))
    near = [cv2.dilate(each.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for each in (first, second)]
    return float((first & near[1]).sum() / first.sum()), float((second & near[0]).sum() / second.sum())


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((0.1, 0.1, 0.1), (1, 1, 1)), ((0.95, 0.9, 0.8), (0.1, 0.1, 0.2)), ((0.6, 0.1, 0.1), (0.9, 0.85, 0.7))],
)
def test_known_lines_are_drawn_again(ink: tuple, paper: tuple):
    lines, halves = known(20, 5)
    picture = inked(lines, halves, ink, paper)
    art = as_lines(picture, 300)
    np.testing.assert_allclose(art.ground, paper, atol=0.02)
    recall, precision = agreement(picture, painted(art.strokes, art.ground, SIDE, SIDE), paper)
    assert recall > 0.985
    assert precision > 0.985
    assert len(art.strokes) <= 1.75 * len(lines)  # a half of the arcs need two
    assert ((painted(art.strokes, art.ground, SIDE, SIDE) - picture) ** 2).mean() < 0.003


def test_hatching_stays_hatching():
    ends = [((40 + 15 * n, 350), (60 + 15 * n, 60)) for n in range(18)]
    picture = inked([segment(PLACES, *each) for each in ends], [0.8] * 18)
    strokes = as_lines(picture, 300).strokes
    assert len(strokes) == 18
    for places in bezier(strokes, SIDE):
        assert min(segment(places, *each).max() for each in ends) < 0.5
    np.testing.assert_allclose(strokes[:, 6:8] * SIDE, 0.8, atol=0.25)


def test_a_face_has_round_pupils_and_no_dust():
    picture = face()
    art = as_lines(picture, 300)
    lengths = np.linalg.norm(np.diff(bezier(art.strokes, SIDE), axis=1), axis=-1).sum(axis=1)
    dots = lengths < 4 * SIDE * art.strokes[:, 6]
    assert dots.sum() == 2
    np.testing.assert_allclose(art.strokes[dots, 6] * SIDE, 10, atol=0.6)
    np.testing.assert_allclose(np.sort(art.strokes[dots, 0]) * SIDE, [150, 250], atol=1)
    recall, precision = agreement(picture, painted(art.strokes, art.ground, SIDE, SIDE), (1, 1, 1))
    assert min(recall, precision) > 0.98


def test_no_more_strokes_than_wanted():
    lines, halves = known(20, 6)
    assert len(as_lines(inked(lines, halves), 7).strokes) == 7
    with pytest.raises(ValueError, match="count is 0"):
        as_lines(inked(lines, halves), 0)


def test_blank_paper_is_no_lines():
    blank = np.ones((60, 80, 3), np.float32)
    assert as_lines(blank, 10).strokes.shape == (0, 13)
    assert not is_line_drawing(blank)


def test_drawings_are_recognised():
    for picture in (inked(*known(25, 1)), face(), 1 - face()):
        assert is_line_drawing(picture)


@pytest.mark.parametrize("noise", [0.01, 0.02])
def test_a_scan_with_grain_and_uneven_light_is_still_a_drawing(noise: float):
    light = 0.92 + 0.08 * np.sin(PLACES[..., :1] / 150)
    grain = np.random.default_rng(0).normal(0, noise, (SIDE, SIDE, 1))
    assert is_line_drawing((face() * light + grain).clip(0, 1).astype(np.float32))


def test_flat_shapes_are_no_lines():
    disc = inked([np.linalg.norm(PLACES - (120, 200), axis=-1)], [80.0], (0.8, 0.2, 0.2), (0.95, 0.93, 0.9))
    assert line_score(disc) < 0.3


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_are_no_drawings(name: str):
    assert line_score(to_array(load_image(EXAMPLES / f"{name}.jpg"))) < 0.35
