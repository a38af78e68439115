"""Styles of lines, thin lines on top of a hand's strokes, and line drawings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.images.arrays import to_array
from semantic_guidance.images.files import load_image
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.styles import Style
from semantic_guidance.painter.thin import thin_lines

COFFEE = Path(__file__).parents[2] / "examples" / "coffee.jpg"


def spokes(count: int = 8) -> np.ndarray:
    """Light spokes on a dark ground, ``[H, W, 3]``."""
    picture = np.full((240, 240, 3), 70, np.uint8)
    for n in range(count):
        x, y = np.cos(np.pi * (n + 0.3) / count), np.sin(np.pi * (n + 0.3) / count)
        ends = [(round(120 + s * 100 * x), round(120 + s * 100 * y)) for s in (-1, 1)]
        cv2.line(picture, *ends, (230, 230, 230), 2, cv2.LINE_AA)
    return picture.astype(np.float32) / 255


def image(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def test_spokes_are_drawn_on_top():
    picture = image(spokes())
    problem = Problem.of(picture, Guidance.none(240, 240), 240, 60, 0.5)
    lines = thin_lines(problem, torch.empty(0, 13), 40, 0.01)
    assert 8 <= len(lines) <= 24
    assert bool((lines[:, 10:13].mean(dim=1) > 0.6).all())
    long = (lines[:, 4:6] - lines[:, :2]).norm(dim=1)
    assert float(long.sum()) == pytest.approx(8 * 200 / 240, rel=0.15)


def test_no_line_is_drawn_where_the_painting_is_right():
    picture = image(spokes())
    problem = Problem.of(picture, Guidance.none(240, 240), 240, 60, 0.5, start=picture)
    assert len(thin_lines(problem, torch.empty(0, 13), 40, 0.01)) == 0


def test_no_more_lines_than_are_wanted_and_the_best_of_them():
    problem = Problem.of(image(spokes()), Guidance.none(240, 240), 240, 60, 0.5)
    none, few, many = (thin_lines(problem, torch.empty(0, 13), count, 0.01) for count in (0, 4, 40))
    assert (len(none), len(few)) == (0, 4)
    kept = {tuple(line) for line in many.tolist()}
    assert sum(tuple(line) in kept for line in few.tolist()) >= 3


@pytest.mark.parametrize("style", ["ink", "pencil", "colored-pencil"])
def test_drawings_are_dark_where_the_picture_is(style):
    photo = load_image(COFFEE)
    painting = Painter(style=style, strokes=150, size=300).paint(photo, Guidance.none())
    assert 50 <= len(painting.strokes) <= 150
    assert painting.brush.style == ("ink" if style == "ink" else "pencil")
    size, area = (24, 16), cv2.INTER_AREA
    drawn = cv2.resize(to_array(painting.canvas).mean(-1), size, interpolation=cv2.INTER_AREA)
    wanted = cv2.resize(to_array(photo).mean(-1), size, interpolation=area)
    assert np.corrcoef(drawn.ravel(), wanted.ravel())[0, 1] > 0.4


def test_dials_change_drawings():
    photo = load_image(COFFEE)
    style = Style.of("ink")

    def radius(width: float) -> float:
        wider = dataclasses.replace(style, hand=dataclasses.replace(style.hand, width=width))
        painting = Painter(style=wider, strokes=60, size=200).paint(photo, Guidance.none())
        return float(painting.strokes.radius.mean())

    assert radius(2.0) == pytest.approx(2 * radius(1.0), rel=0.15)


def test_a_line_drawing_is_drawn_line_by_line():
    picture = np.full((200, 260, 3), 255, np.uint8)
    for n in range(10):
        cv2.line(picture, (30 + 20 * n, 40), (30 + 20 * n, 160), (0, 0, 0), 2, cv2.LINE_AA)
    photo = image(picture.astype(np.float32) / 255)
    painting = Painter(style="lines", strokes=100, size=260).paint(photo, Guidance.none())
    assert len(painting.strokes) == 10
    assert painting.background == (1.0, 1.0, 1.0)
    assert float(((painting.canvas - photo) ** 2).mean()) < 0.003
    long = (painting.strokes.points[0, :, 2] - painting.strokes.points[0, :, 0]).norm(dim=1) * 260
    assert bool((long - 120).abs().max() < 4)
