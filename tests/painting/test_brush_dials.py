"""What a brush's dials, a stroke's load, the light and the size of the canvas do to textured paint."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance import Strokes
from semantic_guidance.painting.brushes import surface
from semantic_guidance.painting.brushes.brush import TURNED, USUAL, Brush
from semantic_guidance.painting.brushes.canvas import PAPER
from semantic_guidance.painting.brushes.light import SIDES, light_of, towards
from semantic_guidance.painting.drawing import Drawing, DrawnLayer
from semantic_guidance.painting.painting import Layer, Painting

OPAQUE = ("oil", "knife", "gouache")
LONG = [0.06, 0.5, 0.5, 0.5, 0.94, 0.5, 0.04, 0.04, 1.0, 1.0, 0.8, 0.2, 0.1]


def stroke(brush: Brush, size: int = 400, load: float | None = None) -> Painting:
    """One long stroke from left to right on blue, of a tenth of its length."""
    loads = None if load is None else torch.tensor([load])
    layer = Layer(Strokes.unpack(torch.tensor([[LONG]])), load=loads)
    return Painting((layer,), (0.1, 0.3, 0.9), size, size, brush=brush)


def pictures(brush: Brush, size: int = 400, load: float | None = None) -> np.ndarray:
    return stroke(brush, size, load).canvas.permute(1, 2, 0).numpy()


def ends(brush: Brush, load: float | None = None) -> tuple[float, float]:
    """How much paint there is in the first and in the last quarter of the stroke: 1 where it covers."""
    red = (pictures(replace(brush, bristle=0.0, light=None), load=load)[190:210, :, 0] - 0.1) / 0.7
    return float(red[:, 40:120].mean()), float(red[:, 280:360].mean())


@pytest.mark.parametrize("style", [style for style in TURNED if "relief" in TURNED[style]])
def test_relief_is_height_and_light(style):
    levels = np.tile(np.linspace(0, 1, 9, dtype=np.float32), (1, 9, 1)) if style == "picture" else None
    brush = Brush(style, levels=levels)
    unlit = pictures(replace(brush, light=None))
    spreads, changes = [], []
    for relief in (0.0, 0.25, 0.5, 1.0):
        painting = stroke(replace(brush, relief=relief))
        spreads.append(float(painting.height_map().std()))
        changes.append(float(np.abs(painting.canvas.permute(1, 2, 0).numpy() - unlit).mean()))
    assert spreads[0] == changes[0] == 0
    assert spreads[2] > 0
    assert np.allclose(np.array(spreads) / spreads[2], [0, 0.5, 1, 2], atol=1e-4)
    assert changes == sorted(changes)


@pytest.mark.parametrize("style", ["oil", "gouache"])
def test_bristles_are_streaks(style):
    """The colours across the middle of the stroke differ the more, and not at all along none."""
    spreads = []
    for bristle in (0.0, 0.5, 1.0):
        inside = pictures(Brush(style, bristle=bristle, dry=0.0, light=None), 800)[380:420, 200:600]
        spreads.append(float(inside.std(axis=0).mean()))
    assert spreads[0] < 1e-4
    assert 1.6 < spreads[2] / spreads[1] < 2.4


@pytest.mark.parametrize("style", OPAQUE)
def test_a_dry_brush_runs_out(style):
    begin, end = ends(Brush(style, dry=0.0))
    assert begin == pytest.approx(1, abs=0.01)
    assert end == pytest.approx(begin, abs=0.01)
    begin, end = ends(Brush(style, dry=1.0))
    assert end < 0.6 * begin
    shares = [ends(Brush(style, dry=dry))[1] for dry in (0.7, 0.85, 1.0)]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("style", OPAQUE)
def test_load_is_height_and_reach(style):
    brush = Brush(style, relief=0.5, dry=0.0)
    full, half = (stroke(brush, load=load).height_map() for load in (1.0, 0.5))
    assert full.max() > 0
    assert torch.allclose(half, full / 2, atol=1e-6)
    assert torch.equal(stroke(brush).height_map(), full)
    reach = [ends(Brush(style, dry=0.5), load)[1] for load in (0.2, 0.6, 1.0)]
    assert reach == sorted(reach)
    assert reach[0] < reach[2]


@pytest.mark.parametrize("style", OPAQUE)
def test_what_is_painted_over_is_gone(style):
    """Blue strokes on red ones of the same shape: no rim of red, not at ragged ends either."""
    vectors = torch.rand(1, 12, 13, generator=torch.Generator().manual_seed(1))
    vectors[..., :6] = 0.2 + 0.6 * vectors[..., :6]
    vectors[..., 6:8] = 0.02 + 0.03 * vectors[..., 6:8]
    vectors[..., 8:10] = 1
    red, blue = vectors.clone(), vectors.clone()
    red[..., 10:], blue[..., 10:] = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0.2, 0.6])
    both = torch.stack([red, blue], dim=2).reshape(1, 24, 13)
    for size in (256, 700):
        layers = (Layer(Strokes.unpack(both)),)
        painting = Painting(layers, (0.0, 0.5, 0.1), size, size, brush=Brush(style, light=None))
        flat = replace(painting, brush=Brush()).canvas[0]
        assert painting.canvas[0].max() < flat.max() + 0.06  # what its soft edge lets through


@pytest.mark.parametrize(("style", "most"), [("oil", 0.025), ("gouache", 0.01), ("watercolor", 0.025)])
def test_a_larger_canvas_is_the_same_with_finer_marks(style, most):
    vectors = torch.rand(1, 80, 13, generator=torch.Generator().manual_seed(5))
    vectors[..., 2:6] = vectors[..., :2].repeat(1, 1, 2) + 0.4 * (vectors[..., 2:6] - 0.5)
    vectors[..., 6:8] = 0.01 + 0.03 * vectors[..., 6:8]
    vectors[..., 8:10] = 1
    painting = Painting((Layer(Strokes.unpack(vectors)),), PAPER, 1000, 400, brush=Brush(style))
    small, large = painting.canvas, painting.render(2000)
    reduced = torch.nn.functional.avg_pool2d(large, 2)
    assert float((reduced - small).square().mean().sqrt()) < most
    detail = [
        float(np.abs(cv2.Laplacian(part.mean(dim=0).numpy(), cv2.CV_32F)).mean()) for part in (large, small)
    ]
    assert detail[0] > 0.3 * detail[1]  # not merely enlarged


def test_a_texture_belongs_to_its_stroke():
    """Strokes that are added or dropped elsewhere leave it as it is."""
    vectors = torch.tensor([[LONG, LONG]])
    vectors[0, 0, [1, 3, 5]] = 0.1
    two = Painting((Layer(Strokes.unpack(vectors)),), (0.1, 0.3, 0.9), 400, 400, brush=Brush("oil"))
    assert torch.equal(two.canvas[:, 150:], stroke(Brush("oil")).canvas[:, 150:])


@pytest.mark.parametrize("side", SIDES)
def test_light_falls_from_its_side(side):
    y, x = np.mgrid[:41, :41].astype(np.float32)
    hill = 6 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 60)
    light = light_of(side)
    assert light is not None
    shaded = surface.lit(np.full((41, 41, 3), 0.5, np.float32), hill, 0.5, 0.0, light).mean(axis=2)
    faces = {"top": shaded[14, 20], "right": shaded[20, 26], "bottom": shaded[26, 20], "left": shaded[20, 14]}
    assert max(faces, key=lambda name: faces[name]) == side
    assert faces[side] > 0.55


@given(st.floats(-360, 360), st.floats(5, 90))
def test_lights_by_their_angles(azimuth, elevation):
    light = light_of(f"{azimuth},{elevation}")
    assert light is not None
    right, down, out = towards(light)
    assert math.hypot(right, down, out) == pytest.approx(1)
    assert math.degrees(math.asin(min(out, 1.0))) == pytest.approx(elevation, abs=1e-3)
    if elevation < 89:
        assert math.cos(math.atan2(right, -down) - math.radians(azimuth)) == pytest.approx(1)


@pytest.mark.parametrize("word", ["", "north", "1", "1,2", "1,91", "nan,40", "1,inf", "400,40", "1,2,3"])
def test_no_lights(word):
    with pytest.raises(ValueError, match=r"wanted top, right, bottom, left, none, or AZIMUTH,ELEVATION"):
        light_of(word)


def test_wet_paint_runs_into_wet_paint_alone():
    color = np.zeros((60, 60, 3), np.float32)
    color[:, 30:] = 1
    for wet in (np.zeros((60, 60), np.float32), np.ones((60, 60), np.float32)):
        wet[:, :20] = 0
        mixed = surface.bled(color, wet, 1.0, 0)
        assert np.array_equal(mixed[:, :20], color[:, :20])
        assert (np.abs(mixed - color).max() > 0.2) == bool(wet.any())


def test_darks_of_a_wash_are_not_grainy():
    """Grain by grain, a black wash varies less than one of half the light."""
    spreads = []
    for tone in (0.03, 0.5):
        vector = torch.tensor([[LONG]])
        vector[..., 10:] = tone
        painting = Painting((Layer(Strokes.unpack(vector)),), (1.0, 1.0, 1.0), 800, 800)
        inside = replace(painting, brush=Brush("watercolor")).canvas[0, 385:415, 250:550].numpy()
        spreads.append(float((inside - cv2.GaussianBlur(inside, (0, 0), 4)).std()))
    assert spreads[0] < 0.3 * spreads[1]


@pytest.mark.parametrize("style", ["watercolor", "ink"])
def test_paper_stays_white_where_nothing_is_painted(style):
    white = replace(stroke(Brush(style, relief=0.0)), background=(1.0, 1.0, 1.0)).canvas[:, :120]
    assert torch.allclose(white, torch.tensor(PAPER)[:, None, None].expand_as(white), atol=1e-6)


def test_ink_tapers_at_its_end():
    ink = pictures(Brush("ink", dry=0.0, bristle=0.0))[..., 2] < 0.5
    widths = ink.sum(axis=0)
    assert widths[100] > 26
    assert widths[355] < 0.5 * widths[200]


def test_dials_have_ranges_and_usual_values():
    assert [Brush("oil").dial(name) for name in ("relief", "bristle", "dry")] == list(USUAL["oil"])
    assert Brush("oil", relief=0.9).dial("relief") == 0.9
    for name in ("relief", "bristle", "dry"):
        for value in (-0.1, 1.1, math.nan):
            with pytest.raises(ValueError, match=f"{name} is {value}, wanted a number from 0 to 1"):
                Brush("oil", **{name: value})
    with pytest.raises(ValueError, match="style is 'crayon', wanted one of flat, oil"):
        Brush("crayon")


@pytest.mark.parametrize("style", ["gouache", "oil"])
def test_brushes_end_as_their_strokes_do(style):
    """A corner of a square end is painted where a round one has none; both are as wide beside the end."""
    stroke = np.float32([[0.3, 0.5, 0.5, 0.5, 0.7, 0.5, 0.1, 0.1, 1, 1, 0.8, 0.1, 0.1]])

    def painted(ends: str) -> np.ndarray:
        layer = DrawnLayer(stroke, ends=ends)
        drawing = Drawing((layer,), (1.0, 1.0, 1.0), 400, 400, brush=Brush(style))
        return drawing.render()[1] < 0.6

    round_, square, filbert = (painted(ends) for ends in ("round", "square", "filbert"))
    corner = slice(160, 240), slice(290, 310)  # up to .75 radii beyond the end, over the whole width
    assert square[corner].mean() > filbert[corner].mean() > round_[corner].mean()
    body = slice(170, 230), slice(140, 260)
    np.testing.assert_allclose(square[body].mean(), round_[body].mean(), atol=0.02)
