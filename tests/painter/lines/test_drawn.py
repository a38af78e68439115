"""Drawings in ink and pencil, and their hatching."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance import Strokes, render
from semantic_guidance.agents.flow import Flow
from semantic_guidance.painter.lines.dials import COLORED_PENCIL, INK, PENCIL, LineStyle
from semantic_guidance.painter.lines.drawing import LineDrawing, drawn
from semantic_guidance.painter.lines.hatching import Ground, hatched
from tests.known_lines import bezier, pixels

SIDE = 200
PLACES = pixels(SIDE, SIDE)


def even(angle: float, spacing: np.ndarray) -> Ground:
    double = np.broadcast_to(np.array([np.cos(2 * angle), np.sin(2 * angle)]), (*spacing.shape, 2))
    none = np.zeros(spacing.shape, np.float32)
    return Ground(Flow(double.astype(np.float32), none, none), spacing, np.zeros(spacing.shape, np.intp))


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
def test_lines_follow_the_field_at_the_wanted_distance(angle: float):
    lines = hatched(
        even(angle, np.full((SIDE, SIDE), 8, np.float32)), 1.5, (60, 90), np.random.default_rng(0)
    )
    across = np.array([-np.sin(angle), np.cos(angle)])
    assert all(np.ptp(line @ across) < 0.1 for line in lines)
    length = sum(np.linalg.norm(line[-1] - line[0]) for line in lines)
    assert length * 8 == pytest.approx(SIDE**2, rel=0.2)  # each line serves a strip as wide as the spacing
    for n, line in enumerate(lines[::7]):
        others = np.concatenate([other for other in lines if other is not line])
        assert np.linalg.norm(line[:, None] - others[None], axis=-1).min() > 0.5 * 8, n


def test_lines_stay_where_they_may_be():
    spacing = np.where(PLACES[..., 0] < 100, 6, np.inf).astype(np.float32)
    ground = even(0.0, spacing)
    region = (PLACES[..., 0] > 50).astype(np.intp)
    lines = hatched(replace(ground, region=region), 1.5, (30, 80), np.random.default_rng(0))
    assert lines
    for line in lines:
        assert line[:, 0].max() < 100.1
        assert (line[:, 0] < 50).all() or (line[:, 0] > 50).all()


def ball() -> tuple[np.ndarray, np.ndarray]:
    """A shaded ball on light ground, and its mask."""
    off = (PLACES - (100, 100)) / 70
    mask = ((off**2).sum(-1) < 1).astype(np.float32)
    height = np.sqrt((1 - (off**2).sum(-1)).clip(0, 1))
    light = (0.25 + 0.75 * (0.6 * height - 0.55 * off[..., 0] - 0.5 * off[..., 1])).clip(0.05, 0.95)
    tone = np.where(mask > 0, light, 0.9)
    return np.repeat(tone[..., None], 3, axis=-1).astype(np.float32), mask


def draw(style: LineStyle, count: int, seed: int = 0) -> LineDrawing:
    picture, mask = ball()
    weight = 1 + 2 * mask
    focus = np.zeros_like(mask)
    return drawn(picture, weight, mask[None], focus, count, style, np.random.default_rng(seed))


def painted(drawing: LineDrawing, style: LineStyle) -> np.ndarray:
    canvas = torch.tensor(style.paper).view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE).contiguous()
    strokes = Strokes.unpack(torch.from_numpy(drawing.strokes)[None])
    return render(strokes, canvas)[0].mean(dim=0).numpy()


@pytest.mark.parametrize("style", [INK, PENCIL])
def test_a_drawing_has_the_tones_of_the_picture(style: LineStyle):
    drawing = draw(style, 500)
    assert 200 < len(drawing.strokes) <= 500
    assert drawing.strokes.dtype == np.float32
    first, second = (
        cv2.GaussianBlur(each, (0, 0), 5) for each in (painted(drawing, style), ball()[0].mean(-1))
    )
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.85
    assert first.min() > 0.15  # not clogged


def test_the_same_seed_draws_the_same():
    np.testing.assert_array_equal(draw(INK, 120).strokes, draw(INK, 120).strokes)
    assert not np.array_equal(draw(INK, 120).strokes[-1], draw(INK, 120, seed=1).strokes[-1])


def test_contours_come_first_and_lie_on_the_rim():
    drawing = draw(INK, 300)
    assert 0 < drawing.contours <= 0.4 * 300
    places = bezier(drawing.strokes[: drawing.contours], SIDE).reshape(-1, 2)
    off = np.abs(np.linalg.norm(places - (100, 100), axis=-1) - 70)
    assert np.median(off) < 2.5


def test_more_lines_are_thinner():
    assert np.median(draw(INK, 400).strokes[:, 6]) < 0.7 * np.median(draw(INK, 60).strokes[:, 6])


def test_a_blank_picture_is_left_blank():
    blank = np.ones((60, 90, 3), np.float32)
    zero = np.zeros((60, 90), np.float32)
    drawing = drawn(
        blank, zero + 1, np.zeros((0, 60, 90), np.float32), zero, 100, INK, np.random.default_rng(0)
    )
    assert drawing.strokes.shape == (0, 13)


def test_coloured_pencils_take_the_pictures_colours():
    picture, mask = ball()
    red = picture * np.array([1, 0.2, 0.2], np.float32)
    zero = np.zeros_like(mask)
    rng = np.random.default_rng(0)
    colors = drawn(red, zero + 1, mask[None], zero, 200, COLORED_PENCIL, rng).strokes[:, 10:]
    assert np.median(colors[:, 0] - colors[:, 2]) > 0.1
    plain = drawn(red, zero + 1, mask[None], zero, 200, replace(COLORED_PENCIL, colored=0.0), rng)
    assert np.ptp(plain.strokes[plain.contours :, 10:], axis=0).max() == 0


def test_a_count_below_one_is_named():
    with pytest.raises(ValueError, match="count is 0"):
        draw(INK, 0)
