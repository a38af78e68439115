"""What is drawn, as numbers: the same as the painting, and drawn as the renderer does."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from semantic_guidance.core.errors import NotFiniteError
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.resample import resample
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import resample_array
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing, DrawnLayer, Replay, boxes
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.renderer import render
from semantic_guidance.renderer.definition import ENDS
from tests.conftest import random_strokes


def test_a_painting_and_its_drawing_are_the_same_numbers_in_the_same_place(painting):
    start = torch.rand(3, 32, 48)
    painting = replace(painting, start=start, photo=start, paper=(200.0, 100.0), transparent="object")
    drawing = painting.drawing
    for item in fields(Drawing):
        if item.name in ("background", "width", "height", "brush", "paper", "transparent"):
            assert getattr(drawing, item.name) == getattr(painting, item.name)
    assert drawing.start is not None
    assert np.shares_memory(drawing.start, start.numpy())
    assert np.shares_memory(drawing.masks[0], painting.masks[0].numpy())
    assert np.array_equal(drawing.strokes, painting.strokes.pack()[0].numpy())
    assert drawing.foreground_strokes == painting.foreground_strokes == 12
    again = Painting.of(drawing)
    assert torch.equal(again.strokes.pack(), painting.strokes.pack())
    assert np.shares_memory(again.layers[1].strokes.color.numpy(), drawing.layers[1].strokes)
    assert np.shares_memory(again.masks[1].numpy(), painting.masks[1].numpy())
    for one, other in zip(again.layers, painting.layers, strict=True):
        assert (one.level, one.instance, one.mask) == (other.level, other.instance, other.mask)
    for size in (None, 50):
        assert torch.equal(again.render(size), painting.render(size))
        assert torch.equal(again.cut_out(size), painting.cut_out(size))
    for name in ("background", "width", "height", "paper", "transparent", "brush"):
        assert getattr(again, name) == getattr(painting, name)


def test_it_is_drawn_as_the_renderer_paints(painting):
    canvas = torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1).expand(3, 64, 96)
    for layer in painting.layers:
        mask = None if layer.mask is None else resample(painting.masks[layer.mask], 64, 96)
        canvas = layer.paint(canvas, mask)
    assert torch.equal(painting.canvas, canvas)
    assert np.array_equal(painting.drawing.render(96), painting.canvas.numpy())


def test_the_papers_rule_is_the_renderer_s(painting):
    mask = torch.rand(1, 64, 96)
    layers = (
        Layer(random_strokes(4), mask=0, compositing="seed"),
        Layer(random_strokes(2, 1), compositing="seed"),
    )
    drawn = replace(painting, layers=layers, masks=(mask,), guidance=Guidance.none())
    canvas = layers[1].paint(layers[0].paint(drawn.blank(), mask), None)
    assert torch.equal(drawn.canvas, canvas)
    assert not torch.equal(replace(layers[0], compositing="over").paint(drawn.blank(), mask), canvas)
    *_, last = drawn.replay()
    assert torch.equal(last, drawn.canvas)


def test_an_object_that_is_nowhere_more_than_half_there(painting):
    faint = replace(painting, guidance=replace(painting.guidance, mask=torch.full((1, 32, 48), 0.4)))
    again = Painting.of(replace(faint, transparent="object").drawing)
    assert again.guidance.boxes == ((0, 0, 48, 32),)
    assert torch.equal(again.object_mask(), replace(faint, transparent="object").object_mask())


@pytest.mark.parametrize("size", [96, 33, 200])
def test_nothing_changes_beyond_the_rectangle(painting, size):
    replay = Replay(painting.drawing, size)
    before, areas = replay.picture(), []
    assert replay.paint(0) is None
    for count in (1, 2, 2, 3, 5, 19, 21, 30, 36, 37, 40):
        changed = replay.paint(count)
        after = replay.picture()
        if changed is not None:
            top, bottom, left, right = changed
            assert 0 <= top < bottom <= replay.height
            assert 0 <= left < right <= replay.width
            before[:, top:bottom, left:right] = after[:, top:bottom, left:right]
            areas.append((bottom - top) * (right - left) / (replay.width * replay.height))
        assert np.array_equal(before, after)
    assert min(areas) < 0.3


@pytest.mark.parametrize("ends", ENDS)
def test_boxes_are_those_of_the_strokes(ends):
    """Compared with the pixels that strokes change, painted white and opaque on black."""
    packed = random_strokes(60, 5).pack()[0]
    packed[:20, :6] += 0.8  # partly beyond the canvas
    packed[:, 8:] = 1
    found = boxes(packed.numpy(), 40, 64, ends)
    slack = 0
    for stroke, (top, bottom, left, right) in zip(packed, found, strict=True):
        alone = Strokes.unpack(stroke[None, None])
        shown = render(alone, torch.zeros(1, 3, 40, 64), ends=ends)[0, 0] > 0
        if not shown.any():
            continue
        rows, columns = shown.any(dim=1).nonzero(), shown.any(dim=0).nonzero()
        assert top <= rows.min() <= rows.max() < bottom
        assert left <= columns.min() <= columns.max() < right
        slack += int(bottom - top - rows.max() + rows.min()) + int(
            right - left - columns.max() + columns.min()
        )
    assert slack / len(packed) < 14


@pytest.mark.parametrize("style", ["oil", "pencil"])
def test_a_textured_brush_may_change_the_light_everywhere(painting, style):
    textured = replace(painting, brush=Brush(style))
    replay = Replay(textured.drawing)
    assert replay.paint(5) == (0, 64, 0, 96)
    assert replay.paint(5) is None
    assert np.array_equal(replay.easel().picture(), replay.picture())
    replay.paint(37)
    assert np.array_equal(replay.picture(), textured.canvas.numpy())


def test_parts_that_do_not_fit(painting):
    with pytest.raises(ValueError, match="mask of a layer is 0, wanted less than 0"):
        Drawing((DrawnLayer(painting.drawing.strokes, mask=0),), (1.0, 1.0, 1.0), 8, 8)
    with pytest.raises(ValueError, match="mask of a layer is 2, wanted less than 2"):
        replace(painting, layers=(Layer(random_strokes(1), mask=2),))
    with pytest.raises(ValueError, match="transparent: there is no object"):
        Drawing((), (1.0, 1.0, 1.0), 8, 8, transparent="object")
    with pytest.raises(ValueError, match="size is 0, wanted at least 1 pixel"):
        painting.drawing.sides(0)


def test_strokes_that_are_not_finite(painting):
    strokes = random_strokes(3)
    strokes.radius[0, 1, 0] = torch.nan
    with pytest.raises(NotFiniteError, match="stroke 1 holds numbers that are infinite or NaN"):
        _ = replace(painting, layers=(Layer(strokes),)).canvas


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((32, 48), (64, 96)),
        ((40, 60), (31, 47)),
        ((601, 400), (77, 51)),
        ((3, 2), (40, 31)),
        ((1, 3), (1, 1)),
    ],
)
def test_resampling_is_that_of_tensors(old, new):
    values = torch.rand(3, *old)
    got = resample_array(values.numpy(), *new)
    assert got.dtype == np.float32
    assert np.abs(got - resample(values, *new).numpy()).max() < 1e-6
    array = values.numpy()
    assert resample_array(array, *old) is array
