"""The picture at the sizes at which strokes are refined: errors and gradients in strokes of the picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.problem import ZOOM_FACTOR, Parts, Problem
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.painter.views import View
from semantic_guidance.renderer import render
from semantic_guidance.renderer.objective import ZoomedObjective
from tests.ladders import PLACE

HEIGHT, WIDTH = 61, 100
PARTS: Parts = np.repeat([-1, 0], [10, 10])
SOFTNESS = 1.5


@pytest.fixture(scope="module")
def view() -> View:
    """At 17 x 27 pixels, which are no multiple of the sides, with an object that is seen larger."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 20:36, 60:90] = 1
    picture = torch.rand(3, HEIGHT, WIDTH, generator=generator)
    problem = Problem.of(picture, Guidance.from_mask(mask), math.sqrt(17 * 27), 20, 0.5)
    assert problem.target.shape == (3, 17, 27)
    assert abs(math.log(problem.stretch[0] / problem.stretch[1])) > 0.02
    return View(problem, PLACE)


@pytest.fixture(scope="module")
def strokes() -> Tensor:
    """Wide ones near the object, in units of the picture's longer side."""
    vectors = torch.rand(20, 13, generator=torch.Generator().manual_seed(1))
    vectors[:, 0:6:2] = 0.5 + 0.5 * vectors[:, 0:6:2]
    vectors[:, 1:6:2] = 0.1 + 0.4 * vectors[:, 1:6:2]
    vectors[:, 6:8] = 0.03 + 0.05 * vectors[:, 6:8]
    return vectors


def painted(
    strokes: Tensor, frame: tuple[float, float, float, float], canvas: Tensor, masks: Tensor, radius: float
) -> list[Tensor]:
    """What a frame (x, y, width, height) of the picture, in its pixels, looks like after each stroke.

    Args:
        strokes: ``[20, 13]`` in units of the picture's longer side.
        frame: what is seen.
        canvas: ``[3, h, w]`` of the frame, empty.
        masks: ``[1, h, w]``.
        radius: factor of the radii.
    """
    x, y, across, down = frame
    height, width = canvas.shape[1:]
    double = strokes.double()
    pixels = double[:, :6].unflatten(1, (3, 2)) * WIDTH
    share = (pixels - torch.tensor([x, y])) / torch.tensor([across, down])
    points = share * torch.tensor([width, height]) / max(width, height)
    seen = torch.cat([points.flatten(1), double[:, 6:8] * radius, double[:, 8:]], dim=1)
    found, under = [], canvas.double()[None]
    for n, part in enumerate(PARTS):
        mask = None if part < 0 else masks.double()[None]
        one = Strokes.unpack(seen[None, n : n + 1])
        under = render(one, under, mask, SOFTNESS, backend="reference")
        found.append(under[0])
    return found


def missed(canvas: Tensor, target: Tensor, weight: Tensor) -> float:
    """Weighted mean squared error."""
    weight = weight.double()
    return float((weight * ((canvas - target.double()) ** 2).mean(dim=0)).sum() / weight.sum())


def slopes(error: Callable[[Tensor], float], strokes: Tensor, chosen: list[tuple[int, int]]) -> list[float]:
    """Finite differences by some of the strokes' numbers."""
    found = []
    for row, column in chosen:
        step = torch.zeros_like(strokes, dtype=torch.float64)
        step[row, column] = 1e-6
        found.append((error(strokes.double() + step) - error(strokes.double() - step)) / 2e-6)
    return found


CHOSEN = [(row, column) for row, column in zip((0, 4, 9, 10, 13, 15, 19) * 5, [*range(13)] * 5, strict=False)]


def check_gradient(term: ZoomedObjective, error: Callable[[Tensor], float], strokes: Tensor) -> None:
    """A term's value is the error, and its gradient that of finite differences."""
    value, gradient = term.gradient(strokes, SOFTNESS)
    assert value == pytest.approx(error(strokes), rel=1e-4)
    found = [float(gradient[place]) for place in CHOSEN]
    assert found == pytest.approx(slopes(error, strokes, CHOSEN), rel=5e-3, abs=1e-5)
    assert max(map(abs, found)) > 0.01


def test_the_gradient_is_that_of_the_picture_as_it_is_seen(view: View, strokes: Tensor) -> None:
    """By finite differences: finished, and unfinished at 15 of 20 strokes, when the background is done."""
    problem = view.problem
    whole = view.terms(PARTS)[0]

    def error(each: Tensor) -> float:
        canvases = painted(each, (0, 0, WIDTH, HEIGHT), problem.canvas, problem.masks, 1.0)
        errors = [missed(canvas, problem.target, problem.weight) for canvas in canvases]
        return errors[-1] + 0.03 * errors[14]

    check_gradient(whole, error, strokes)


def test_so_is_that_of_a_background_whose_object_is_still_missing(view: View, strokes: Tensor) -> None:
    """Unfinished at 2, 5 and 10 of 20 strokes: what the object will hide counts a fifth."""
    problem = view.problem
    behind = view.terms(PARTS, 2.0)[-1]
    weight = problem.weight * (1 - problem.mask) + 0.2 * problem.mask

    def error(each: Tensor) -> float:
        canvases = painted(each, (0, 0, WIDTH, HEIGHT), problem.canvas, problem.masks, 1.0)
        return 2 * 0.03 * sum(missed(canvases[count - 1], problem.target, weight) for count in (2, 5, 10))

    value, gradient = behind.gradient(strokes, SOFTNESS)
    assert value == pytest.approx(error(strokes), rel=1e-4)
    assert gradient.shape == strokes.shape
    found = [float(gradient[place]) for place in CHOSEN]
    assert found == pytest.approx(slopes(error, strokes, CHOSEN), rel=5e-3, abs=1e-6)
    assert max(map(abs, found)) > 1e-4
    assert (gradient[10:] == 0).all()
    assert len(view.terms(PARTS, 0.0)) == len(view.terms(PARTS)) - 1


def test_so_is_that_of_an_object_that_is_seen_larger(view: View, strokes: Tensor) -> None:
    """6 % of its box, 30 x 16 at (60, 20), are seen beside it; radii by the mean of both sides' factors."""
    problem = view.problem
    (zoom,) = problem.zooms
    _, term, _ = view.terms(PARTS)
    frame = (58, 19, 34, 18)
    rows, columns = zoom.target.shape[1:]
    factors = [WIDTH * zoomed / side / max(rows, columns) for zoomed, side in ((columns, 34), (rows, 18))]
    stretched = math.prod(problem.stretch)

    def error(each: Tensor) -> float:
        blank = problem.canvas[:, :1, :1].expand_as(zoom.target)
        canvas = painted(each, frame, blank, zoom.masks, math.sqrt(math.prod(factors) * stretched))[-1]
        return ZOOM_FACTOR * missed(canvas, zoom.target, zoom.weight)

    check_gradient(term, error, strokes)


def test_what_is_not_masked_is_seen_everywhere(view: View, strokes: Tensor) -> None:
    """Opaque paint is not clipped at objects; their weight stays."""
    bare = replace(view, masked=False)
    for term, clipped in zip(bare.terms(PARTS, 0.0), view.terms(PARTS, 0.0), strict=True):
        assert {segment.mask for segment in term.objective.segments} == {None}
        assert {segment.mask for segment in clipped.objective.segments} == {None, 0}
        assert torch.equal(term.objective.weight, clipped.objective.weight)
        assert term.gradient(strokes, 1.0)[0] != clipped.gradient(strokes, 1.0)[0]


def test_how_closely_each_part_is_painted_by_hand() -> None:
    """Spacings against that of all strokes, by shares of the area and of the strokes."""
    masks = torch.zeros(2, 1, 40, 80)
    masks[0, :, :, :30], masks[1, :, :20, 70:] = 1, 1
    instances = tuple(Instance.from_mask(mask) for mask in masks)
    guidance = Guidance(masks.amax(0), torch.zeros(1, 40, 80), instances)
    view = View(Problem.of(torch.rand(3, 40, 80), guidance, math.sqrt(3200), 100, 0.5), PLACE)
    wanted = {
        -1: math.sqrt(0.5625 * 100 / 25),
        0: math.sqrt(0.375 * 100 / 25),
        1: math.sqrt(0.0625 * 100 / 50),
    }
    assert view.closeness({-1: 25, 0: 25, 1: 50}) == pytest.approx(wanted)
    assert view.closeness({-1: 1, 0: 0, 1: 99})[1] == 0.3  # and no closer
    assert view.closeness({-1: 0, 0: 0, 1: 0})[0] == pytest.approx(math.sqrt(0.375))


def test_its_size_is_the_longer_side(view: View) -> None:
    assert view.size == 27
    assert all(term.objective.backend is PLACE.backend for term in view.terms(PARTS))
