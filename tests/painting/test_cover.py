"""Covers: what is half transparent is painted whole and limited once, however many strokes there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.core.resample import resample
from semantic_guidance.export.strokes_json import read_drawing, read_strokes
from semantic_guidance.images.fill import SURE, filled
from semantic_guidance.painting.altered import on_background, recolored, uncovered, within
from semantic_guidance.painting.brushes import BRUSHES
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing, DrawnLayer, Replay
from semantic_guidance.painting.painting import Painting

CYAN = (0.0, 1.0, 1.0)


def fade(height: int, width: int) -> torch.Tensor:
    """From opaque on the left to nothing on the right, in bytes."""
    return (torch.linspace(1, 0, width) * 255).round().div(255).expand(1, height, width).contiguous()


@pytest.fixture
def covered(painting: Painting) -> Painting:
    return replace(painting, cover=fade(64, 96))


def blots(color: tuple[float, float, float], count: int = 30) -> Drawing:
    """Opaque, short, wide strokes of one colour about the middle of a canvas of 96 x 64."""
    packed = np.random.default_rng(3).random((count, 13)).astype(np.float32)
    packed[:, :6] = 0.2 + 0.4 * packed[:, :6]
    packed[:, 6:8] = 0.03 + 0.05 * packed[:, 6:8]
    packed[:, 8:10], packed[:, 10:] = 1, color
    return Drawing((DrawnLayer(packed),), (1.0, 1.0, 1.0), 96, 64)


@pytest.mark.parametrize("size", [None, 50])
def test_canvas_and_strokes_are_limited_once(covered, size):
    """By hand: beyond + cover (painting - beyond). The cut-out's alpha is the cover, its colours whole."""
    canvas = replace(covered, cover=None).render(size)
    share = resample(covered.cover, *canvas.shape[1:])
    assert torch.allclose(covered.render(size), 1 + share * (canvas - 1), atol=1e-5)
    picture = torch.rand(3, *canvas.shape[1:])
    framed = replace(covered, beyond=picture).render(size)
    assert torch.allclose(framed, picture + share * (canvas - picture), atol=1e-5)
    cut = replace(covered, transparent="painting").cut_out(size)
    assert torch.allclose(cut, torch.cat([canvas.clamp(0, 1), share]), atol=1e-6)
    part = replace(covered, transparent="object").cut_out(size)
    assert torch.allclose(part[3:], covered.object_mask(size) * share, atol=1e-6)
    assert torch.equal(part[:3], canvas.clamp(0, 1))


@pytest.mark.parametrize("style", ["flat", "oil", "pencil"])
def test_a_film_shows_what_a_picture_shows(covered, style):
    """A canvas of which only what has changed is limited anew, and one that is limited as a whole."""
    drawing = replace(covered, brush=Brush(style)).drawing
    replay, share = Replay(drawing), covered.cover.numpy()
    for count in (0, 1, 2, 2, 21, 37):
        replay.paint(count)
        assert np.allclose(replay.easel().picture(), replay.picture(), atol=1e-6)
    assert np.allclose(replay.picture(), drawing.render(), atol=1e-6)
    whole = replace(drawing, cover=None).render()
    assert np.allclose(replay.picture(), 1 + share * (whole - 1), atol=1e-5)
    assert (replay.picture()[:, :, -1] == 1).all()


@pytest.mark.parametrize("style", BRUSHES)
def test_rims_of_textured_paint_have_its_colour(style):
    """Red paint is nowhere as green or blue as it is red, whatever it lies on, and on no paper."""
    drawing = replace(blots((0.8, 0.1, 0.1)), brush=Brush(style), transparent="painting", background=CYAN)
    red, green, blue, alpha = drawing.cut_out(96)
    seen = alpha > 0.02
    rim = seen & (alpha < 0.98)
    assert rim.sum() > 30
    assert (red - np.maximum(green, blue))[seen].min() > 0.2
    assert (red - np.maximum(green, blue))[rim].mean() > 0.5


def test_height_and_bare_canvas_are_what_is_seen(covered):
    oil, share = replace(covered, brush=Brush("oil")), covered.cover[0]
    assert torch.allclose(oil.height_map(), replace(oil, cover=None).height_map() * share, atol=1e-7)
    rough = replace(covered, brush=Brush("pencil"))
    assert torch.equal(rough.height_map(), replace(rough, cover=None).height_map())  # of paper
    free = replace(covered, cover=None, transparent="painting").cut_out()[3]
    assert covered.drawing.bare_share() == pytest.approx(float(((1 - free) * share).mean()), abs=1e-6)


@pytest.mark.parametrize("pictured", [False, True])
def test_a_file_of_strokes_keeps_it(covered, tmp_path, pictured):
    beyond = torch.rand(3, 64, 96).mul(255).round() / 255 if pictured else (0.5, 0.25, 1.0)
    covered = replace(covered, beyond=beyond)
    covered.save(tmp_path / "a.json")
    again = read_strokes(tmp_path / "a.json")
    assert torch.equal(again.cover, covered.cover)
    assert torch.equal(again.canvas, covered.canvas)
    again.save(tmp_path / "b.json")
    text = (tmp_path / "a.json").read_text()
    assert (tmp_path / "b.json").read_text() == text
    assert '"version": 2' in text
    replace(covered, cover=None).save(tmp_path / "c.json")
    assert read_drawing(tmp_path / "c.json").cover is None
    cover = text.split('"cover": "')[1].split('"')[0]
    for wrong, complaint in (
        ("!", "cover is not a grey PNG"),
        (None, "cover is 64 x 96, wanted the canvas's"),
    ):
        if wrong is None:
            replace(covered, width=64, height=96, masks=(), layers=(), cover=fade(96, 64)).save(
                tmp_path / "d.json"
            )
            wrong = (tmp_path / "d.json").read_text().split('"cover": "')[1].split('"')[0]
        (tmp_path / "e.json").write_text(text.replace(cover, wrong))
        with pytest.raises(InputError, match=complaint):
            read_drawing(tmp_path / "e.json")


def test_changed_drawings_keep_it(covered):
    drawing, share = covered.drawing, covered.cover.numpy()
    behind = on_background(drawing, (0.0, 0.0, 0.0))
    whole = on_background(replace(drawing, cover=None), (0.0, 0.0, 0.0))
    assert np.allclose(behind.render(), share * whole.render(), atol=1e-5)
    fore = tuple(replace(layer, level="foreground") for layer in drawing.layers)
    alone = on_background(replace(drawing, layers=fore), (0.0, 0.0, 0.0))  # its canvas is the object's, too
    assert np.allclose(alone.render(), share * replace(drawing, cover=None).render(), atol=1e-5)
    assert np.array_equal(recolored(drawing, 4).cover, share)


def test_beyond_a_mask_there_is_no_canvas(covered):
    drawing = covered.drawing
    mask = np.zeros((1, 64, 96), np.float32)
    mask[:, 16:40, 30:60] = 1
    cut = replace(within(drawing, mask), transparent="painting").cut_out()
    whole = replace(drawing, transparent="painting").cut_out()
    assert np.allclose(cut[3:], whole[3:] * mask, atol=1e-6)
    assert np.array_equal(cut[:3], whole[:3])


def test_a_pen_draws_where_at_least_half_is_seen(covered, tmp_path):
    replace(covered, paper=(96.0, 64.0)).save(tmp_path / "a.plotter.svg")
    text = (tmp_path / "a.plotter.svg").read_text()
    ends = [path.split('"')[0].replace("Q", " ").split() for path in text.split('d="M')[1:]]
    across = np.array(ends, float)[:, ::2]
    assert across.shape[0] > 10
    assert across[:, [0, 2]].max() < 48 + 3  # of 96 mm, and a piece of a stroke
    assert uncovered(replace(covered, cover=None).drawing).masks is not None


def test_shapes_for_paper_are_limited_too(tmp_path):
    """Opaque ones, which are a layer a colour, in mm, where nothing covers them."""
    plain = replace(blots(CYAN), paper=(96.0, 64.0))
    even = plain.layers[0].strokes.copy()
    even[:, 7] = even[:, 6]
    plain = replace(plain, layers=(DrawnLayer(even),))
    for drawing, unit, masks in ((plain, "mm", 0), (replace(plain, cover=fade(64, 96).numpy()), "", 1)):
        EXPORTERS.get("svg").write(drawing, tmp_path / "a.svg")
        text = (tmp_path / "a.svg").read_text()
        assert f'width="96{unit}"' in text
        assert text.count('mask="url(#mask-cover)"') == masks


@given(arrays(np.float32, (4, 7, 11), elements=st.floats(0, 1, width=32)), st.integers(0, 76))
@settings(max_examples=30, deadline=None)
def test_colours_are_continued(values, place):
    """What is seen stays; elsewhere there is nothing that is not between the colours that are seen."""
    color, alpha = values[:3], values[3] * (values[3] > 0.3)
    alpha.flat[place] = 1
    found = filled(color * alpha, alpha)
    sure = alpha >= SURE
    assert np.allclose(found[:, sure], color[:, sure], atol=1e-4)
    low, high = (color[:, sure].min(axis=1), color[:, sure].max(axis=1))
    assert (found >= low[:, None, None] - 1e-4).all()
    assert (found <= high[:, None, None] + 1e-4).all()
