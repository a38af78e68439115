"""Square and filbert ends, by hand, by finite differences, and compiled against plain torch."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.core.resample import resample
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer.backends.cpu.easel import Easel
from semantic_guidance.renderer.backends.reference import stroke_fields
from semantic_guidance.renderer.definition import ENDS
from tests.conftest import random_strokes

SHAPED = ENDS[1:]
HEIGHT, WIDTH = 90, 120


def stroke(points: list[list[float]], radius: list[float], opacity: tuple[float, float] = (1, 1)) -> Strokes:
    """A white stroke from pixels of a canvas of 120 x 90."""
    numbers = [*np.array(points).ravel() / WIDTH, *np.array(radius) / WIDTH, *opacity, 1, 1, 1]
    return Strokes.unpack(torch.tensor(numbers, dtype=torch.float64)[None, None])


def alpha(strokes: Strokes, ends: str, backend: str = "reference") -> Tensor:
    """What a white stroke leaves on a black canvas, ``[90, 120]``."""
    kind = torch.float64 if backend == "reference" else torch.float32
    vectors = Strokes.unpack(strokes.pack().to(kind))
    return render(vectors, torch.zeros(1, 3, HEIGHT, WIDTH, dtype=kind), backend=backend, ends=ends)[0, 0]


def rectangle(left: float, right: float, top: float, bottom: float) -> Tensor:
    """The share of each pixel that lies in a rectangle."""
    columns, rows = torch.arange(WIDTH).double(), torch.arange(HEIGHT).double()
    across = (columns + 1).clamp(max=right) - columns.clamp(min=left)
    down = (rows + 1).clamp(max=bottom) - rows.clamp(min=top)
    return down.clamp(min=0)[:, None] * across.clamp(min=0)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_straight_stroke_is_a_rectangle(backend):
    """As long as its centre line and a half disc's area at each end, to the rounding of its corners."""
    line = stroke([[40.3, 45.6], [60, 45.6], [80.7, 45.6]], [18, 18])
    beyond = math.pi / 4 * 18
    wanted = rectangle(40.3 - beyond, 80.7 + beyond, 27.6, 63.6)
    got = alpha(line, "square", backend)
    assert (got - wanted).abs().max() < 0.25
    slanted = stroke([[40.3, 50.6], [60, 47], [80.7, 43.2]], [18, 18])
    length = math.hypot(80.7 - 40.3, 43.2 - 50.6) + 2 * beyond
    assert float(alpha(slanted, "square", backend).sum()) == pytest.approx(length * 36, abs=1.5)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_dot_has_both_ends_in_one_place(backend):
    dot = stroke([[60.2, 45.6]] * 3, [20, 20])
    reach = math.pi / 4 * 20
    assert (
        alpha(dot, "square", backend) - rectangle(60.2 - reach, 60.2 + reach, 25.6, 65.6)
    ).abs().max() < 0.25
    for ends in ENDS:
        assert float(alpha(dot, ends, backend).sum()) == pytest.approx(math.pi * 400, abs=5)


@pytest.mark.parametrize("ends", SHAPED)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_what_does_not_move_has_no_direction(ends, backend):
    """A length downwards that single precision can hardly square; a dot's ends lie left and right."""
    dot, moved = stroke([[0, 0]] * 3, [30, 30]), stroke([[0, 0], [0, 0], [0, 4e-22]], [30, 30])
    assert torch.equal(alpha(moved, ends, backend), alpha(dot, ends, backend))


@pytest.mark.parametrize("ends", SHAPED)
@pytest.mark.parametrize("radius", [(18.0, 18.0), (20.0, 9.0), (8.0, 20.0), (20.0, 2.0)])
@pytest.mark.parametrize("middle", [(60, 46), (60, 30)])
def test_every_kind_of_end_covers_as_much(ends, radius, middle):
    line = stroke([[30.2, 45.1], list(middle), [88.4, 52.6]], list(radius))
    round_area, area = (float(alpha(line, kind).sum()) for kind in ("round", ends))
    assert area == pytest.approx(round_area, abs=0.03 * max(radius) ** 2)


def test_a_filbert_is_half_a_superellipse():
    """The half axes are the radius, and what gives the half disc's area by Gauss's formula."""
    drawn = alpha(stroke([[20, 45], [40, 45], [60, 45]], [24, 24]), "filbert") > 0.5
    half_axis = math.pi / 4 * 24 * math.gamma(1.5) / math.gamma(1.25) ** 2
    x, y = torch.arange(WIDTH) + 0.5 - 60, (torch.arange(HEIGHT) + 0.5 - 45)[:, None]
    wanted = (x / half_axis) ** 4 + (y / 24) ** 4 <= 1
    ahead = (x > 0).expand(HEIGHT, WIDTH)
    assert torch.equal(drawn[ahead], wanted[ahead])


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("radius", [(60.0, 60.0), (60.0, 30.0), (30.0, 60.0)])
@pytest.mark.parametrize("bow", [0.0, 50.0])
def test_the_distance_has_no_jumps(ends, radius, bow):
    """From one pixel to the next it changes by no more than the front's slope, 4 / pi."""
    points = torch.tensor([[[100.0, 150], [180, 150 - bow], [260, 140]]], dtype=torch.float64)
    distance = stroke_fields(points, torch.tensor([radius], dtype=torch.float64), 300, 360, ends)[0][0]
    for axis in (0, 1):
        assert distance.diff(dim=axis).abs().max() < 4 / math.pi + 1e-3


@pytest.mark.parametrize("ends", SHAPED)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_corner_has_the_opacity_of_its_end(ends, backend):
    fading = stroke([[40, 45], [60, 45], [80, 45]], [20, 20], (0.2, 0.9))
    shown = alpha(fading, ends, backend)
    corners = shown[[29, 29, 60, 60], [25, 94, 25, 94]]  # beyond the discs
    round_ones = alpha(fading, "round", backend)[[29, 29, 60, 60], [25, 94, 25, 94]]
    assert round_ones.max() == 0
    assert torch.allclose(corners.double(), torch.tensor([0.2, 0.9, 0.2, 0.9]).double(), atol=1e-6)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_stroke_that_passes_by_its_own_end_is_not_cut_there(backend):
    """The end, at the middle left, points at the stroke's first part, and reaches into it."""
    loop = stroke([[20, 30], [150, 48], [20, 62]], [10, 10])
    crossing = stroke([[20, 30], [150, 48], [24, 45]], [10, 10])
    for line in (loop, crossing):
        covered = alpha(line, "round", backend) == 1
        body = stroke_fields(line.points[:, 0] * WIDTH, line.radius[:, 0] * WIDTH, HEIGHT, WIDTH)[1][0] < 0.8
        assert (alpha(line, "square", backend)[covered & body & (torch.arange(WIDTH) > 30)] == 1).all()


numbers = functools.partial(st.floats, width=32)
lengths = {
    "points": st.lists(numbers(-0.125, 1.125), min_size=6, max_size=6),
    "radius": st.lists(numbers(0.0009765625, 0.25), min_size=2, max_size=2),
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    **lengths, short=st.booleans(), ends=st.sampled_from(SHAPED), softness=st.sampled_from([0.5, 1.0, 2.5])
)
def test_compiled_is_plain(points, radius, short, ends, softness):
    """Where the opacity is the same all along: else a disc more or less is a hundredth of it."""
    vector = torch.tensor([*points, *radius, 0.75, 0.75, 1, 1, 1])
    if short:
        vector[2:6] = vector[:2].repeat(2) + 0.1 * (vector[2:6] - 0.5)
    strokes, canvas = Strokes.unpack(vector[None, None]), torch.zeros(1, 3, 40, 56)
    shown = render(strokes, canvas, softness=softness, backend="cpu", ends=ends)
    precise = Strokes.unpack(strokes.pack().double())
    wanted = render(precise, canvas.double(), softness=softness, backend="reference", ends=ends)
    wrong = (shown - wanted).abs().amax(dim=1)
    # Where two places of a stroke are equally near, and one is its end, rounding decides between them.
    assert int((wrong > 2e-3).sum()) <= 2


@pytest.mark.parametrize("ends", SHAPED)
def test_gradients_by_finite_differences(ends):
    points = (
        torch.tensor([[[4.2, 5.1, 9.0, 3.2, 13.6, 7.3], [10.0, 11.0, 7.0, 12.5, 3.3, 10.2]]]).double() / 17
    )
    rest = torch.tensor(
        [[0.18, 0.12, 0.4, 0.9, 0.3, 0.6, 0.2], [0.1, 0.16, 0.8, 0.5, 0.9, 0.1, 0.5]]
    ).double()
    strokes = torch.cat([points, rest[None]], dim=2).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    canvas, cotangent = torch.rand(2, 1, 3, 15, 17, generator=generator, dtype=torch.float64)

    def seen(strokes: Tensor, ends: str = ends) -> Tensor:
        return (render(Strokes.unpack(strokes), canvas, softness=3.0, ends=ends) * cotangent).sum()

    assert torch.autograd.gradcheck(seen, strokes, eps=1e-7, atol=1e-4)
    assert abs(seen(strokes) - seen(strokes, "round")) > 0.01


@pytest.mark.parametrize("ends", SHAPED)
def test_where_gradients_are_wanted_the_reference_gives_them(ends):
    vectors, canvas = random_strokes(4).pack().requires_grad_(), torch.zeros(1, 3, 24, 32)
    found = [
        torch.autograd.grad(render(Strokes.unpack(vectors), canvas, backend=name, ends=ends).sum(), vectors)
        for name in ("cpu", "reference")
    ]
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][0].abs().max() > 0


@pytest.mark.parametrize("ends", SHAPED)
@pytest.mark.parametrize("masked", [False, True])
def test_the_easel_paints_what_render_does(ends, masked):
    strokes, start = random_strokes(30), torch.rand(3, 41, 60, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(41, 60, generator=torch.Generator().manual_seed(1)) if masked else None
    easel = Easel(start.numpy())
    easel.paint(strokes.pack()[0].numpy(), None if mask is None else mask.numpy(), 1.5, ends)
    under = None if mask is None else mask[None, None]
    wanted = render(strokes, start[None], under, 1.5, ends=ends)[0]
    assert torch.equal(torch.from_numpy(easel.picture()), wanted)
    assert not torch.equal(wanted, render(strokes, start[None], under, 1.5)[0])


def test_without_kernels_ends_are_the_same(monkeypatch):
    strokes, pictures = random_strokes(5).pack()[0].numpy(), []
    for _ in range(2):
        easel = Easel(np.zeros((3, 23, 31), np.float32))
        easel.paint(strokes, ends="filbert")
        pictures.append(easel.picture())
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.easel.entry", lambda: None)
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.backend.entry", lambda: None)
    assert np.abs(pictures[0] - pictures[1]).max() < 1e-5


@pytest.mark.parametrize("rule", ["over", "seed"])
def test_a_painting_has_the_ends_of_its_layers(painting: Painting, rule):
    """In pictures, in what is cut out of them, and when painted layer by layer with gradients."""
    layers = tuple(
        replace(layer, ends=ends, compositing=rule)
        for layer, ends in zip(painting.layers, ("square", "filbert", "round"), strict=True)
    )
    shaped = replace(painting, layers=layers)
    canvas = shaped.blank()
    for layer in layers:
        mask = None if layer.mask is None else shaped.masks[layer.mask]
        resized = None if mask is None else resample(mask, 64, 96)
        canvas = layer.paint(canvas, resized)
    assert torch.allclose(shaped.canvas, canvas, atol=2e-3)
    assert (shaped.canvas - painting.canvas).abs().max() > 0.1
    alone = replace(shaped, layers=layers[:1], transparent="painting").cut_out()
    plain = torch.zeros(1, 3, 64, 96)
    white = replace(layers[0].strokes, color=torch.ones_like(layers[0].strokes.color))
    assert torch.allclose(alone[3], render(white, plain, ends="square")[0, 0], atol=1e-5)


def test_what_is_wrong_is_said():
    strokes, canvas = random_strokes(1), torch.zeros(1, 3, 8, 8)
    with pytest.raises(ValueError, match="ends is 'flat', wanted one of round, square, filbert"):
        render(strokes, canvas, ends="flat")
