"""Drawings with other colours, before another background, in part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from semantic_guidance.core.packed import COLOR
from semantic_guidance.painting.altered import on_background, recolored, within
from semantic_guidance.painting.drawing import Drawing, DrawnLayer


def stroke(x: float, color: tuple[float, float, float], radius: float = 5) -> np.ndarray:
    """An opaque upright stroke at `x` on a canvas of 60 x 40 pixels."""
    numbers = [x, 10, x, 20, x, 30, radius, radius]
    return np.array([[*(n / 60 for n in numbers), 1, 1, *color]], np.float32)


RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
DRAWING = Drawing(
    (
        DrawnLayer(stroke(20, BLUE)),
        DrawnLayer(stroke(40, RED), "foreground"),
        DrawnLayer(stroke(45, BLUE, 3)),
    ),
    (0.95, 0.95, 0.95),
    60,
    40,
)


def color_at(drawing: Drawing, x: int, y: int = 20) -> list[float]:
    return drawing.canvas[:, y, x].round(2).tolist()


def test_nearest_colors_of_a_palette():
    changed = recolored(DRAWING, [(0, 0, 0.5), (1, 0.5, 0.5), (1, 1, 1)])
    assert changed.strokes[:, COLOR].tolist() == [[0, 0, 0.5], [1, 0.5, 0.5], [0, 0, 0.5]]
    assert changed.background == (1, 1, 1)
    assert np.array_equal(changed.strokes[:, : COLOR.start], DRAWING.strokes[:, : COLOR.start])
    assert color_at(DRAWING, 20) == pytest.approx(BLUE, abs=0.01)


def test_colors_chosen_from_the_strokes():
    two = recolored(DRAWING, 2).strokes[:, COLOR]
    assert two == pytest.approx(DRAWING.strokes[:, COLOR], abs=1e-3)
    (one,) = np.unique(recolored(DRAWING, 1).strokes[:, COLOR], axis=0)
    assert one[2] > one[1]
    empty = replace(DRAWING, layers=())
    assert recolored(empty, 3) is empty
    # One black pen is seen on the paper that there is.
    assert recolored(DRAWING, [(0.0, 0.0, 0.0)]).background == DRAWING.background


def test_only_the_object_is_before_another_background():
    changed = on_background(DRAWING, (0, 1, 0))
    assert changed.foreground_strokes == len(changed.strokes) == 1
    assert color_at(changed, 38) == pytest.approx(RED, abs=0.01)
    for x in (5, 20, 45):  # canvas, stroke of the background beside the object, and one upon it
        assert color_at(changed, x) == [0, 1, 0]


def test_a_picture_fills_the_background():
    picture = np.zeros((3, 10, 40), np.float32)
    picture[1, :, 20:] = 0.5
    changed = on_background(DRAWING, picture)
    assert changed.start is not None
    assert np.array_equal(np.rint(changed.start * 255) / np.float32(255), changed.start)
    assert color_at(changed, 20) == [0, 0, 0]
    assert color_at(changed, 55) == pytest.approx([0, 0.5, 0], abs=0.01)


def test_without_objects_all_strokes_are_on_it():
    plain = replace(DRAWING, layers=DRAWING.layers[:1])
    changed = on_background(plain, (0, 1, 0))
    assert color_at(changed, 5) == [0, 1, 0]
    assert color_at(changed, 20) == color_at(plain, 20)


def test_objects_on_top_keep_their_masks():
    mask = np.zeros((1, 40, 60), np.float32)
    mask[:, :20] = 1
    likeness = replace(DRAWING, layers=(DRAWING.layers[0], replace(DRAWING.layers[1], mask=0)), masks=(mask,))
    changed = on_background(likeness, (0, 1, 0))
    assert changed.masks is likeness.masks
    assert color_at(changed, 40, 15) == pytest.approx(RED, abs=0.01)
    assert color_at(changed, 40, 25) == [0, 1, 0]


def test_strokes_within_a_mask():
    own = np.zeros((1, 20, 30), np.float32)
    own[:, :10] = 1  # the upper half
    drawing = replace(DRAWING, layers=(*DRAWING.layers[:2], replace(DRAWING.layers[2], mask=0)), masks=(own,))
    mask = np.zeros((1, 40, 60), np.float32)
    mask[:, :, 30:] = 1
    changed = within(drawing, mask)
    assert color_at(changed, 20) == pytest.approx(DRAWING.background, abs=0.01)
    assert color_at(changed, 38) == pytest.approx(RED, abs=0.01)
    assert color_at(changed, 45, 14) == pytest.approx(BLUE, abs=0.01)
    assert color_at(changed, 42, 26) == pytest.approx(RED, abs=0.01)
    assert np.allclose(changed.canvas[:, :, 31:], drawing.canvas[:, :, 31:], atol=0.003)
    assert len(changed.masks) == 2


def test_masks_are_not_for_the_papers_rule():
    seed = replace(DRAWING, layers=(replace(DRAWING.layers[0], compositing="seed"),))
    with pytest.raises(ValueError, match=r"^mask cannot be put on strokes whose compositing is seed"):
        within(seed, np.ones((1, 40, 60), np.float32))
