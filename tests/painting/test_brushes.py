"""Textured brushes: against plain geometry, the flat renderer, and what must not change."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numba
import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance import Painter, Strokes
from semantic_guidance.painting.brushes import BRUSHES, Brush, surface
from semantic_guidance.painting.brushes.canvas import PAPER
from semantic_guidance.painting.drawing import Replay
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.renderer.backends import reference
from semantic_guidance.renderer.backends.cpu.kernels import brush_fields as fields
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    polyline,
    segments,
    touched_spans,
    whole_span,
)
from semantic_guidance.renderer.backends.cpu.layout import FIELDS, SPAN_FIELDS, STRIDE
from semantic_guidance.renderer.backends.cpu.pool import POOL
from tests.conftest import random_strokes

TEXTURED = [name for name in BRUSHES if name != "flat"]
LINE = torch.tensor([[[0.2, 0.5, 0.5, 0.5, 0.8, 0.5, 0.1, 0.1, 1.0, 1.0, 0.9, 0.1, 0.1]]])


def painted(vectors: torch.Tensor, brush: Brush, size: int = 200) -> np.ndarray:
    painting = Painting((Layer(Strokes.unpack(vectors)),), (0.0, 0.0, 1.0), size, size, brush=brush)
    return painting.canvas.permute(1, 2, 0).numpy()


@numba.njit
def _measured(strokes, n, scale, wide, height, seg, spans, rows, places):
    """`fields.measure_row` for all rows: returns the length, writes ``[rows, 4, wide]`` places."""
    count = polyline(strokes, n, scale, seg)
    segments(count, seg)
    length = fields.lengths_along(count, seg)
    distance, course, across, radius = rows
    for y in range(height):
        middle = np.float32(y) + np.float32(0.5)
        touched_spans(count, middle, np.float32(0), np.float32(wide), seg, spans)
        first, end = whole_span(count, spans)
        if first < end:
            fields.measure_row(count, 0, seg, spans, middle, first, end, distance, course, across, radius)
            for x in range(first, end):
                places[y, 0, x], places[y, 1, x] = distance[x], course[x]
                places[y, 2, x], places[y, 3, x] = across[x], radius[x]
    return length


def measured(stroke: Strokes, height: int, width: int) -> tuple[float, np.ndarray]:
    """Length of a stroke, and ``[height, 4, width]`` of `fields.measure_row`, infinite where none is."""
    rows = tuple(np.full(width, np.inf, np.float32) for _ in range(4))
    places = np.full((height, 4, width), np.inf, np.float32)
    seg, spans = np.zeros(FIELDS * STRIDE, np.float32), np.zeros(SPAN_FIELDS * STRIDE, np.int32)
    strokes = stroke.pack()[0].contiguous().flatten().numpy()
    scale = np.float32(max(height, width))
    return _measured(strokes, 0, scale, width, height, seg, spans, rows, places), places


@pytest.mark.parametrize("seed", range(4))
def test_places_on_a_stroke_are_those_of_the_plain_renderer(seed):
    height, width = 40, 56
    stroke = random_strokes(1, seed)
    stroke = replace(stroke, radius=stroke.radius[..., :1].expand(1, 1, 2))
    points, radius = stroke.points[0] * width, stroke.radius[0] * width
    wanted = reference.stroke_fields(points, radius, height, width)[0][0].numpy()
    length, places = measured(stroke, height, width)
    distance, course, across, near = places.transpose(1, 0, 2)
    inside = wanted < -0.1
    assert inside.sum() > 8
    assert np.abs(distance - wanted)[inside].max() < 1e-3
    assert (-near < course)[inside].all()
    assert (course < length + near)[inside].all()
    assert (np.abs(across) <= near)[inside].all()


def test_places_beside_a_stroke_are_those_of_no_stroke():
    """Between the arms of a V, where no segment is near, nothing is left of what was in the memory before."""
    arms = torch.tensor([[[[0.1, 0.05], [0.5, 1.4], [0.9, 0.05]]]])
    stroke = Strokes(arms, torch.full((1, 1, 2), 0.02), torch.ones(1, 1, 2), torch.ones(1, 1, 3))
    _, places = measured(stroke, 60, 100)
    distance, *rest = places[9]
    assert distance[30:70].min() > 1e6
    assert np.isfinite(places[9, :, 30:70]).all()
    assert all((part[30:70] == 0).all() for part in rest)


@numba.njit
def _noise(x, y, seed, values):
    for n in range(len(x)):
        values[n] = fields.noise(x[n], y, seed)


def test_noise_is_smooth_and_fair():
    x = np.linspace(-30, 30, 6001, dtype=np.float32)
    values, other = np.zeros_like(x), np.zeros_like(x)
    _noise(x, np.float32(0.3), 7, values)
    _noise(x, np.float32(0.3), 8, other)
    assert 0 <= values.min() < 0.15
    assert 0.85 < values.max() <= 1
    assert np.abs(np.diff(values)).max() < 0.03
    assert abs(values.mean() - 0.5) < 0.12
    assert abs(np.corrcoef(values, other)[0, 1]) < 0.3


@pytest.mark.parametrize("style", TEXTURED)
def test_texture_varies_about_the_flat_painting(painting: Painting, style):
    painting = replace(painting, background=PAPER)
    textured = replace(painting, brush=Brush(style)).render(384)
    flat = painting.render(384)
    assert 0.001 < ((textured - flat) ** 2).mean() < 0.05
    assert (textured.mean(dim=(1, 2)) - flat.mean(dim=(1, 2))).abs().max() < 0.12
    assert textured.min() >= 0
    assert textured.max() <= 1


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("style", TEXTURED)
def test_threads_and_steps_change_nothing(painting: Painting, style):
    painting = replace(painting, brush=Brush(style, seed=3))
    whole = painting.render(128)
    replay = Replay(painting.drawing, 128)
    for count in (0, 3, 21, 30, 37):
        replay.paint(count)
    assert torch.equal(torch.from_numpy(replay.picture()), whole)
    POOL.count = 1
    assert torch.equal(painting.render(128), whole)
    assert not torch.equal(replace(painting, brush=Brush(style, seed=4)).render(128), whole)


@pytest.mark.parametrize("style", TEXTURED)
def test_a_larger_canvas_shows_the_same_picture(painting: Painting, style):
    painting = replace(painting, brush=Brush(style))
    small, large = painting.render(1024), painting.render(1536)
    shrunk = torch.nn.functional.interpolate(large[None], small.shape[1:], mode="area")[0]
    blurred = [cv2.GaussianBlur(p.permute(1, 2, 0).numpy(), (0, 0), 4) for p in (small, shrunk)]
    assert np.abs(blurred[0] - blurred[1]).mean() < 0.02


@pytest.mark.parametrize("style", TEXTURED)
def test_strokes_stay_within_their_mask(style):
    mask = torch.zeros(1, 100, 100)
    mask[:, :, :50] = 1
    layers = (Layer(Strokes.unpack(LINE), "foreground", 0, 0),)
    painting = Painting(layers, (0.2, 0.4, 0.6), 100, 100, brush=Brush(style), masks=(mask,))
    empty = replace(painting, layers=())
    change = (painting.canvas - empty.canvas).abs().amax(dim=0)
    assert change[:, 53:].max() < 0.01  # light reaches a pixel or two
    assert change[50, 20:45].mean() > 0.1


def test_bristles_run_along_the_stroke():
    inside = painted(LINE, Brush("oil"), 600)[270:330, 180:420].mean(axis=2)
    assert np.abs(np.diff(inside, axis=0)).mean() > 3 * np.abs(np.diff(inside, axis=1)).mean()


def test_pigment_gathers_at_the_edge_of_a_wash():
    """Mean darkness by distance from the edge: more just inside it than in the middle."""
    darkness = []
    for seed in range(12):
        color = painted(LINE, Brush("watercolor", seed), 500)
        darkness.append(color[..., 0].mean(where=(np.arange(500) > 150) & (np.arange(500) < 350), axis=1))
    profile = np.median(darkness, axis=0)
    covered = np.flatnonzero(profile > 0.6)
    middle = profile[245:255].mean()
    assert profile[covered[0] : covered[0] + 25].min() < middle - 0.01


def test_a_white_picture_paints_a_rectangle(tmp_path):
    Image.new("L", (40, 20), 255).save(tmp_path / "white.png")
    canvas = painted(LINE, Brush.of(tmp_path / "white.png"))
    wanted = np.full((200, 200, 3), (0, 0, 1), np.float32)
    wanted[80:120, 20:180] = LINE[0, 0, 10:].numpy()  # radius 20, and as much beyond both ends
    assert np.abs(canvas - wanted)[82:118, 22:178].max() < 1e-3
    assert np.abs(canvas - wanted).max(axis=2).mean() < 0.01


def test_a_picture_lies_along_the_stroke(tmp_path):
    pixels = np.zeros((20, 40), np.uint8)
    pixels[:10, :20] = 255  # above, at the start
    Image.fromarray(pixels).save(tmp_path / "quarter.png")
    brush = Brush.of(tmp_path / "quarter.png")
    red = painted(LINE, brush)[..., 0]
    assert red[84:96, 25:95].min() > 0.8
    assert red[104:].max() < 0.05
    assert red[:, 105:].max() < 0.05
    back = LINE.clone()
    back[..., [0, 4]] = LINE[..., [4, 0]]  # drawn from right to left: turned by half a circle
    red = painted(back, brush)[..., 0]
    assert red[104:116, 105:175].min() > 0.8
    assert red[:96].max() < 0.05


def test_light_comes_from_the_upper_left():
    color = np.full((40, 40, 3), 0.5, np.float32)
    assert np.abs(surface.lit(color, np.zeros((40, 40), np.float32), 0.5, 0.2) - 0.5).max() < 1e-6
    y, x = np.mgrid[:40, :40].astype(np.float32)
    hill = 6 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 60)
    shaded = surface.lit(color, hill, 0.5, 0.2).mean(axis=2)
    assert shaded[15, 15] > 0.55
    assert shaded[25, 25] < 0.45


def test_paper_has_as_much_of_every_height():
    grain = surface.tooth(300, 400, 200, 0)
    counts = np.histogram(grain, 10, (0, 1))[0] / grain.size
    assert 0.07 < counts.min() < counts.max() < 0.13


def test_brushes_by_name(photo):
    painting = Painter(strokes=5, preset="draft", size=64, brush="oil", seed=5).paint(photo)
    assert (painting.brush.style, painting.brush.seed, painting.brush.levels) == ("oil", 5, None)
    with pytest.raises(ValueError, match="brush is 'crayon', wanted one of flat, oil"):
        Painter(brush="crayon")
