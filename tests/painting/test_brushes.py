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
from semantic_guidance.renderer.backends.cpu import brush_fields as fields
from semantic_guidance.renderer.backends.cpu import geometry as kernel_geometry
from tests.conftest import random_strokes

TEXTURED = [name for name in BRUSHES if name != "flat"]
LINE = torch.tensor([[[0.2, 0.5, 0.5, 0.5, 0.8, 0.5, 0.1, 0.1, 1.0, 1.0, 0.9, 0.1, 0.1]]])


def painted(vectors: torch.Tensor, brush: Brush, size: int = 200) -> np.ndarray:
    painting = Painting((Layer(Strokes.unpack(vectors)),), (0.0, 0.0, 1.0), size, size, brush=brush)
    return painting.canvas.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("seed", range(4))
def test_places_on_a_stroke_are_those_of_the_plain_renderer(seed):
    height, width = 40, 56
    stroke = random_strokes(1, seed)
    stroke = replace(stroke, radius=stroke.radius[..., :1].expand(1, 1, 2))
    points, radius = stroke.points[0] * width, stroke.radius[0] * width
    wanted = reference.stroke_fields(points, radius, height, width)[0][0].numpy()
    _, line, spans = kernel_geometry.scratch(width)
    along, row = np.empty(300, np.float32), np.empty((4, width), np.float32)
    count = kernel_geometry.flatten(stroke.pack()[0, 0].numpy(), np.float32(width), *line)
    length = fields.lengths_along(line[0], line[1], count, along)
    seen = 0
    for y in range(height):
        middle = np.float32(y + 0.5)
        first, end = kernel_geometry.row_spans(*line, count, middle, np.float32(0), width, *spans)
        if first < end:
            fields.measure_row(*line, count, along, middle, first, end, *spans, row)
        for x in range(first, end):
            if wanted[y, x] < -0.1:
                assert abs(row[0, x] - wanted[y, x]) < 1e-3
                assert -row[3, x] < row[1, x] < length + row[3, x]
                assert abs(row[2, x]) <= row[3, x]
                seen += 1
    assert seen > 8


def test_places_beside_a_stroke_are_those_of_no_stroke():
    """Between the arms of a V, where no segment is near, nothing is left of what was in the memory before."""
    vx, vy, vr = np.array([[10, 30, 50], [5, 45, 5], [2, 2, 2]], np.float32)
    spans, along = np.zeros((2, 2), np.int64), np.empty(3, np.float32)
    row = np.full((4, 60), np.inf, np.float32)
    fields.lengths_along(vx, vy, 2, along)
    first, end = kernel_geometry.row_spans(vx, vy, vr, 2, np.float32(9.5), np.float32(0), 60, *spans)
    fields.measure_row(vx, vy, vr, 2, along, np.float32(9.5), first, end, *spans, row)
    assert first < 15
    assert end > 45
    assert (row[0, 20:40] > 1e6).all()
    assert (row[1:, 20:40] == 0).all()


def test_noise_is_smooth_and_fair():
    x = np.linspace(-30, 30, 6001, dtype=np.float32)
    values = np.array([fields.noise(at, np.float32(0.3), 7) for at in x])
    assert 0 <= values.min() < 0.15
    assert 0.85 < values.max() <= 1
    assert np.abs(np.diff(values)).max() < 0.03
    assert abs(values.mean() - 0.5) < 0.12
    other = np.array([fields.noise(at, np.float32(0.3), 8) for at in x])
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
    numba.set_num_threads(1)
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
    grain = surface.tooth(300, 400, 2.0, 0)
    counts = np.histogram(grain, 10, (0, 1))[0] / grain.size
    assert 0.07 < counts.min() < counts.max() < 0.13


def test_brushes_by_name(photo):
    painting = Painter(strokes=5, preset="draft", size=64, brush="oil", seed=5).paint(photo)
    assert (painting.brush.style, painting.brush.seed, painting.brush.levels) == ("oil", 5, None)
    with pytest.raises(ValueError, match="brush is 'crayon', wanted one of flat, oil"):
        Painter(brush="crayon")
