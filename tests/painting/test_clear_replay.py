"""A painting without its canvas as it appears, beside what is left of the canvas in pictures of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.clear_replay import ClearReplay
from semantic_guidance.painting.drawing import Drawing


@pytest.fixture
def drawing(painting) -> Drawing:
    return replace(painting, width=48, height=32, transparent="painting").drawing


def first(drawing: Drawing, count: int) -> Drawing:
    """The drawing of its first strokes."""
    layers = []
    for layer in drawing.layers:
        load = None if layer.load is None else layer.load[:count]
        layers.append(replace(layer, strokes=layer.strokes[:count], load=load))
        count = max(0, count - len(layer.strokes))
    return replace(drawing, layers=tuple(layers))


def shown(replay: ClearReplay) -> np.ndarray:
    out = np.zeros((replay.height, replay.width, 4), np.uint8)
    replay.put(out, (0, replay.height, 0, replay.width))
    return out


@pytest.mark.parametrize("style", ["flat", "watercolor"])
def test_it_is_the_cut_out_of_the_strokes_so_far(drawing, style):
    drawing = replace(drawing, brush=Brush(style))
    replay = ClearReplay(drawing)
    assert shown(replay)[..., 3].max() == 0
    for count in (1, 5, 20, 37) if style == "flat" else (5,):
        replay.paint(count)
        wanted = to_bytes(first(drawing, count).cut_out()).astype(int)
        seen = wanted[..., 3:] > 25  # colours of what hardly shows are rounding
        got = shown(replay).astype(int)
        assert np.abs(got[..., 3] - wanted[..., 3]).max() <= 1
        assert np.abs((got - wanted)[..., :3] * seen).max() <= (0 if style == "flat" else 2)


@pytest.mark.parametrize("style", ["oil", "knife"])
def test_textured_brushes_look_as_in_a_picture(drawing, style):
    drawing = replace(drawing, brush=Brush(style))
    replay = ClearReplay(drawing)
    for count in (5, 37):
        replay.paint(count)
        wanted = to_bytes(first(drawing, count).cut_out()).astype(int)
        got = shown(replay).astype(int)
        assert np.abs(got[..., 3] - wanted[..., 3]).max() <= 1
        seen = wanted[..., 3] > 25
        assert np.abs(got - wanted)[seen][:, :3].mean() < 4


def test_parts_are_those_of_the_whole(drawing):
    replay, out = ClearReplay(drawing), np.zeros((32, 48, 4), np.uint8)
    for count in (0, 3, 4, 20, 37):
        changed = replay.paint(count)
        if changed is not None:
            replay.put(out, changed)
        assert np.array_equal(out, shown(replay))


def test_what_does_not_show_has_the_colours_of_what_will(drawing):
    """So that a format with loss mixes no black into the edges."""
    replay = ClearReplay(drawing, filled=True)
    empty = shown(replay)
    replay.paint(37)
    full = shown(replay)
    sure = full[..., 3] > 40
    assert empty[..., 3].max() == 0
    assert sure.mean() > 0.3
    assert np.abs(empty.astype(int) - full)[sure][:, :3].max() <= 1


def test_objects_appear_where_they_will_be(drawing):
    drawing = replace(drawing, transparent="object")
    replay = ClearReplay(drawing)
    limit = to_bytes(drawing.object_mask())[..., 0]
    before = np.zeros((32, 48), np.uint8)
    for count in (0, 10, 37):
        replay.paint(count)
        alpha = shown(replay)[..., 3]
        assert (alpha <= limit.astype(int) + 1).all()
        assert (alpha.astype(int) >= before - 1.0).all()
        before = alpha
    assert before.max() > 200


def test_under_a_cover_the_canvas_is_seen_from_the_beginning(drawing):
    cover = np.tile(np.linspace(0, 1, 48, dtype=np.float32), (1, 32, 1))
    drawing = replace(drawing, cover=cover)
    replay = ClearReplay(drawing)
    begin = shown(replay)
    assert np.abs(begin[..., 3] - to_bytes(cover)[..., 0].astype(int)).max() <= 1
    assert np.abs(begin[..., :3] - to_bytes(drawing.blank()).astype(int)).max() == 0
    replay.paint(37)
    assert np.abs(shown(replay).astype(int) - to_bytes(drawing.cut_out())).max() <= 1
