"""The numbers of how strokes are made, on strokes and paintings for which they are known."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.brushes.canvas import TexturedCanvas
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.renderer.backends.reference import stroke_fields
from tests.conftest import random_strokes


def load() -> ModuleType:
    """The module, which is in no package."""
    file = Path(__file__).parents[2] / "benchmarks" / "marks.py"
    spec = importlib.util.spec_from_file_location("marks", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


marks = load()


def bands(*opacities: float, top: float = 0.0, bottom: float = 0.5) -> Strokes:
    """Straight strokes from edge to edge of a square canvas, between two heights, one over the other."""
    row = [-1, (top + bottom) / 2, 0.5, (top + bottom) / 2, 2, (top + bottom) / 2]
    radius = (bottom - top) / 2
    vectors = [[*row, radius, radius, each, each, 0.2, 0.4, 0.6] for each in opacities]
    return Strokes.unpack(torch.tensor([vectors], dtype=torch.float32))


def painting(*layers: Layer, masks: tuple[torch.Tensor, ...] = (), side: int = 40, **more) -> Painting:
    return Painting(layers, (0.9, 0.9, 0.9), side, side, masks=masks, **more)


def stripes(height: int, width: int) -> torch.Tensor:
    """A picture of upright stripes, 16 pixels wide."""
    wave = 0.5 + 0.5 * torch.cos(torch.arange(width) * math.pi / 16)
    return wave.expand(3, height, width).contiguous()


def line(x: float, y: float, degrees: float, length: float = 0.1) -> np.ndarray:
    """A straight stroke, ``[3, 2]``, turned clockwise from the horizontal."""
    middle = np.array([x, y])
    half = 0.5 * length * np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    return np.stack([middle - half, middle, middle + half])


class TestShape:
    @pytest.mark.parametrize(
        ("points", "degrees"),
        [
            ([[0, 0], [1, 0], [2, 0]], 0),
            ([[0, 0], [1, 0], [1, 1]], 90),
            ([[0, 0], [1, 0], [1, -1]], 90),
            ([[0, 0], [1, 0], [0, 0]], 180),
            ([[0, 0], [1, 0], [2, 1]], 45),
            ([[0, 0], [0, 0], [1, 0]], 0),  # the direction at the start is towards the end
            ([[1, 1], [1, 1], [1, 1]], 0),
        ],
    )
    def test_turn(self, points, degrees):
        assert marks.turns(np.array([points], float)) == pytest.approx([degrees], abs=1e-9)

    @given(
        arrays.arrays(float, (4, 3, 2), elements=st.floats(0, 1, width=16)),
        st.floats(0, 6),
        st.floats(0.1, 9),
    )
    def test_turn_is_that_of_the_stroke_turned_enlarged_and_reversed(self, points, angle, scale):
        turned = points @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        turns = marks.turns(points)
        assert np.all((turns >= 0) & (turns <= 180))
        assert marks.turns(scale * turned) == pytest.approx(turns, abs=1e-4)
        assert marks.turns(points[:, ::-1]) == pytest.approx(turns, abs=1e-9)

    def test_length_to_width(self):
        straight = [[0.1, 0.1], [0.3, 0.1], [0.5, 0.1]]
        parabola = [[0, 0], [0.5, 0], [1, 1]]  # y = x^2 from 0 to 1
        length = math.sqrt(5) / 2 + math.asinh(2) / 4
        found = marks.length_to_width(np.array([straight, parabola]), np.array([[0.05, 0.03], [0.5, 0.5]]))
        assert found == pytest.approx([5, length], rel=1e-3)

    def test_glazes_are_under_half_opacity(self):
        opacity = np.array([[0.1, 0.8], [0.2, 0.9], [0.5, 0.5], [0, 0.3]])
        assert marks.glazes(opacity).tolist() == [True, False, False, True]
        assert marks.share(marks.glazes(opacity)) == 0.5


class TestPicture:
    @pytest.mark.parametrize(("height", "width"), [(512, 512), (512, 256), (200, 400)])
    @pytest.mark.parametrize("degrees", [90, 60, 0, -75])
    def test_angle_to_upright_stripes(self, height, width, degrees):
        longer = max(height, width)
        points = line(0.5 * width / longer, 0.5 * height / longer, degrees)[None]
        apart, weight = marks.angles(points, stripes(height, width))
        assert apart == pytest.approx([90 - abs(degrees)], abs=0.1)
        assert weight == pytest.approx([1], abs=0.05)

    def test_mean_angle_counts_where_there_is_a_direction(self):
        picture = stripes(512, 512)
        picture[:, :, 256:] = 0.5
        points = np.stack([line(0.2, 0.5, 90), line(0.3, 0.4, 50), line(0.9, 0.5, 0), np.full((3, 2), 0.2)])
        assert marks.mean_angle(points, picture) == pytest.approx(20, abs=0.1)
        assert math.isnan(marks.mean_angle(points[2:], picture))

    def test_beyond_region_from_the_middle_to_an_end(self):
        picture = torch.zeros(3, 256, 256)
        picture[:, :, 128:] = 0.1  # sqrt(3) * .1 = .173 apart
        picture[:, 128:] *= 0.9  # .156 apart
        points = np.stack([line(0.45, 0.2, 0, 0.2), line(0.45, 0.2, 90, 0.2), line(0.45, 0.8, 0, 0.2)])
        radius = np.full((3, 2), 1e-3)
        assert marks.beyond_region(points, radius, picture).tolist() == [True, False, False]
        assert marks.beyond_region(points[:, ::-1], radius, picture).tolist() == [True, False, False]

    def test_beyond_region_sees_no_more_than_the_brush(self):
        picture = stripes(512, 512)
        points = np.stack([line(0.5, 0.5, 0, 2 * 16 / 512)] * 2)  # from one stripe to its neighbours
        radius = np.array([[0.002, 0.002], [0.05, 0.05]])
        assert marks.beyond_region(points, radius, picture).tolist() == [True, False]

    def test_strokes_that_leave_the_picture(self):
        points = np.stack([line(-0.1, 1.1, 90), line(1.2, 0.5, 90)])
        apart, _ = marks.angles(points, stripes(512, 512))
        assert apart == pytest.approx([0, 0], abs=2)
        assert not marks.beyond_region(points, np.full((2, 2), 0.01), stripes(512, 512)).any()

    def test_errors(self):
        picture = torch.full((3, 8, 8), 0.5)
        mask, focus = torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
        mask[:, :, 4:] = 1
        focus[:, 0, 0], focus[:, 0, 7] = 1, 3
        painted = picture.clone()
        painted[:, :, 4:] += 0.2
        found = marks.errors(painted, picture, mask, focus)
        assert found == pytest.approx({"whole": 0.02, "object": 0.04, "focus": 0.03})
        found = marks.errors(painted, picture, 0 * mask, 0 * focus)
        assert (found["object"], found["focus"]) == (None, None)
        twice = picture.repeat_interleave(2, 1).repeat_interleave(2, 2)
        assert marks.errors(painted, twice, mask, focus)["whole"] == pytest.approx(0.02)


class TestCanvas:
    @pytest.mark.parametrize(
        ("layers", "per_mille"),
        [
            ([Layer(bands(1.0))], 500),
            ([Layer(bands(0.4))], 1000),
            ([Layer(bands(0.4, 0.4))], 500),  # together .64
            ([Layer(bands(0.4)), Layer(bands(0.4, top=0.25, bottom=0.75))], 750),
            ([Layer(bands(1.0), mask=0)], 750),
            ([], 1000),
        ],
    )
    def test_bare_ground(self, layers, per_mille):
        mask = torch.zeros(1, 80, 80)
        mask[:, :, :40] = 1
        drawing = painting(*layers, masks=(mask,), start=torch.rand(3, 20, 20)).drawing
        assert marks.bare_ground(drawing) == per_mille
        assert marks.bare_ground(drawing, 80) == per_mille

    @pytest.mark.parametrize("style", ["oil", "watercolor", "pencil"])
    def test_bare_ground_between_bristles(self, style):
        drawing = painting(Layer(random_strokes(30)), brush=Brush(style), side=150).drawing
        through = []
        for ground in (0.0, 1.0):
            canvas = TexturedCanvas(drawing.brush, np.full((3, 150, 150), ground, np.float32))
            before = canvas.state[0].copy()
            canvas.paint(drawing.strokes)
            through.append((before, canvas.state[0]))
        (black, dark), (white, light) = through
        expected = 1000 * ((light - dark) > 0.5 * (white - black)).mean()
        assert 50 < expected < 950
        assert marks.bare_ground(drawing) == pytest.approx(expected, abs=10)

    def test_seen_of_bands_one_over_the_other(self):
        left = torch.zeros(1, 40, 40)
        left[:, :, :20] = 1
        under = Layer(bands(0.8, 1.0, 0.5, bottom=0.5))
        over = Layer(bands(1.0, top=0.25, bottom=0.75), mask=0)
        seen = marks.seen_pixels(painting(under, over, masks=(left,)))
        # of 800 pixels a quarter is under the last one, which has the left half of 20 rows
        assert seen == pytest.approx([0, 0.5 * 600, 0.5 * 600, 400], abs=1e-3)
        assert marks.hidden(seen).tolist() == [True, False, False, False]
        assert marks.seen_pixels(painting()).shape == (0,)

    @pytest.mark.parametrize("seed", range(3))
    def test_seen_is_that_of_the_definition(self, seed):
        strokes, side = random_strokes(12, seed), 48
        distance, t = stroke_fields(strokes.points[0] * side, strokes.radius[0] * side, side, side)
        start, end = (strokes.opacity[0, :, k, None, None] for k in (0, 1))
        alpha = (0.5 - distance).clamp(0, 1) * (start + t * (end - start))
        above = (1 - alpha).flip(0).cumprod(0).flip(0)  # through it and all later ones
        through = torch.cat([above[1:], torch.ones(1, side, side)])
        made = painting(Layer(strokes[:5]), Layer(strokes[5:]), side=side)
        expected = (alpha * through).sum((1, 2))
        assert marks.seen_pixels(made) == pytest.approx(expected.numpy(), abs=0.05)

    def test_all_of_a_painting(self):
        found = marks.marks(painting(Layer(bands(1.0, 0.4, 1.0))), stripes(512, 512))
        assert found == {
            "glazes": pytest.approx(1 / 3),
            "angle_deg": pytest.approx(90, abs=0.5),
            "length_to_width": pytest.approx(3 / 0.5),
            "turn_deg": 0,
            "beyond_region": 0,  # blurred, the stripes are grey
            "bare_per_mille": 500,
            "bare_brush_per_mille": 500,
            "hidden": pytest.approx(2 / 3),
        }

    def test_a_painting_without_strokes_is_bare(self):
        with np.errstate(all="raise"):
            found = marks.marks(painting(), stripes(64, 64))
        assert found.pop("bare_per_mille") == found.pop("bare_brush_per_mille") == 1000
        assert all(math.isnan(value) for value in found.values())
