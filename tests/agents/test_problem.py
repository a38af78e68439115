"""The problem's weights and enlarged objects: by hand, and what each is for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.problem import (
    ZOOM_FACTOR,
    Problem,
    Zoom,
    background_weight,
    foreground_weight,
    length_factor,
    parts_of,
    video_segments,
    working_size,
)
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.renderer import render
from semantic_guidance.renderer.objective import Segment
from tests.ladders import counts_of, ladder_of, still


def noise(height: int, width: int, coarse: int, seed: int = 0) -> Tensor:
    """Coloured spots about `coarse` pixels wide, ``[3, height, width]``."""
    generator = torch.Generator().manual_seed(seed)
    spots = torch.rand(1, 3, height // coarse + 1, width // coarse + 1, generator=generator)
    shape = (height, width)
    return torch.nn.functional.interpolate(spots, shape, mode="bilinear", align_corners=True)[0].clamp(0, 1)


def known(
    height: int, width: int, box: tuple[int, int, int, int], focus: tuple[slice, slice] | None = None
) -> Guidance:
    """One object that fills its box (x, y, width, height), with all of the focus in a part of the picture."""
    x, y, across, down = box
    mask, plane = torch.zeros(1, height, width), torch.zeros(1, height, width)
    mask[:, y : y + down, x : x + across] = 1
    if focus is not None:
        plane[(slice(None), *focus)] = 1
    return Guidance(mask, plane * mask, (Instance.from_mask(mask),))


def problem_of(picture: Tensor, guidance: Guidance, side: float | None = None, strokes: int = 100) -> Problem:
    """The problem on about `side` squared pixels; of the picture's own size if None."""
    height, width = picture.shape[-2:]
    return Problem.of(picture, guidance, side or math.sqrt(height * width), strokes, 0.5)


def some_strokes(count: int, box: tuple[float, float, float, float], seed: int = 0) -> Tensor:
    """Packed strokes in a box (x, y, width, height), in units of the longer side."""
    vectors = torch.rand(count, 13, generator=torch.Generator().manual_seed(seed))
    x, y, across, down = box
    size = max(across, down)
    vectors[:, 0:6:2] = x + across * vectors[:, :1] + 0.15 * size * (vectors[:, 0:6:2] - 0.5)
    vectors[:, 1:6:2] = y + down * vectors[:, 1:2] + 0.15 * size * (vectors[:, 1:6:2] - 0.5)
    vectors[:, 6:8] = size * (0.04 + 0.04 * vectors[:, 6:8])
    return vectors


class TestWeight:
    """How much each pixel's error counts."""

    def test_nothing_counts_more_without_an_object(self) -> None:
        assert (problem_of(noise(40, 100, 5), Guidance.none(40, 100)).weight == 1).all()

    def test_the_error_falls_where_the_focus_is(self) -> None:
        """The same strokes and the same mask, with the focus here or there or nowhere."""
        picture, strokes = noise(60, 96, 5), some_strokes(40, (0.1, 0.05, 0.8, 0.5))
        segments = [Segment(13, None), Segment(27, 0, 1.0)]
        here, there = (slice(8, 28), slice(34, 54)), (slice(30, 50), slice(68, 88))

        def errors(focus: tuple[slice, slice] | None) -> tuple[float, float]:
            problem = problem_of(picture, known(60, 96, (30, 6, 60, 48), focus))
            problem = replace(problem, weight=1 + 2 * problem.focus, zooms=())
            parts, config = parts_of(segments), RefineConfig(steps=80, surplus=1)
            refiner = Refiner(strokes, parts, counts_of(parts), ladder_of(problem, 4.0), config)
            error = (problem.painted(refiner.run(), segments) - picture) ** 2
            assert refiner.parts.tolist() == parts.tolist()
            return float(error[:, *here].mean()), float(error[:, *there].mean())

        nowhere = errors(None)
        assert errors(here)[0] < 0.85 * nowhere[0]
        assert errors(there)[1] < 0.85 * nowhere[1]


class TestZooms:
    """Small objects, seen larger."""

    def test_strokes_in_the_frame_are_those_of_the_picture(self) -> None:
        """At one pixel to one: painting the frame is painting the picture and cutting the frame out."""
        picture = noise(120, 200, 4)
        problem = problem_of(picture, known(120, 200, (140, 20, 24, 40)), math.sqrt(60 * 100))
        (zoom,) = problem.zooms
        frame = (slice(None), slice(17, 63), slice(138, 166))  # 6 % of the box round it, in whole pixels
        assert torch.equal(zoom.target, picture[frame])
        assert problem.target.shape == (3, 60, 100)
        vectors = some_strokes(30, (0.65, 0.1, 0.2, 0.25))
        large = render(problem.to_picture(vectors), torch.zeros(1, 3, 120, 200))[0]
        near = render(Strokes.unpack((vectors * zoom.scale + zoom.shift)[None]), torch.zeros(1, 3, 46, 28))[0]
        assert float(near.max()) > 0.5
        assert torch.allclose(near, large[frame], atol=1e-3)

    @pytest.mark.parametrize("upright", [False, True])
    def test_places_in_the_frame_by_hand(self, upright: bool) -> None:
        """Sides that do not divide: of the picture 301 x 497, of the problem 6 x 10."""
        height, width, box = (497, 301, (40, 230, 160, 200)) if upright else (301, 497, (230, 40, 200, 160))
        problem = problem_of(torch.rand(3, height, width), known(height, width, box), math.sqrt(60))
        (zoom,) = problem.zooms
        rows, columns = zoom.target.shape[1:]
        assert (rows, columns) == ((13, 11) if upright else (11, 14))  # at a third of a problem's pixel
        x, y, across, down = box
        left, top = int(x - 0.06 * across), int(y - 0.06 * down)
        right, bottom = math.ceil(x + 1.06 * across), math.ceil(y + 1.06 * down)
        vectors = some_strokes(20, (0.3, 0.3, 0.3, 0.3))
        pixels = problem.to_picture(vectors).points[0] * max(height, width)
        share = (pixels - torch.tensor([left, top])) / torch.tensor([right - left, bottom - top])
        wanted = share * torch.tensor([columns, rows]) / max(rows, columns)
        seen = Strokes.unpack((vectors * zoom.scale + zoom.shift)[None])
        assert torch.allclose(seen.points[0], wanted, atol=1e-4)
        larger = (wanted[0, 0] - wanted[1, 0]) / (vectors[0, :2] - vectors[1, :2])  # across and down
        assert float((larger[0] / larger[1]).log().abs()) > 0.01
        assert torch.allclose(seen.radius[0], vectors[:, 6:8] * larger.prod().sqrt(), rtol=1e-4)
        assert torch.equal(seen.pack()[0, :, 8:], vectors[:, 8:])

    def test_only_what_is_made_larger_by_a_seventh_is_looked_at(self) -> None:
        picture, guidance = noise(80, 120, 5), known(80, 120, (70, 20, 30, 20))
        found = [
            len(problem_of(picture, guidance, math.sqrt(80 * 120) / by).zooms) for by in (1, 1.1, 1.2, 3)
        ]
        assert found == [0, 0, 1, 1]

    def test_a_large_object_has_128_squared_pixels(self) -> None:
        picture, guidance = noise(301, 497, 5), known(301, 497, (230, 40, 200, 160))
        (zoom,) = problem_of(picture, guidance, math.sqrt(301 * 497) / 2).zooms
        assert zoom.weight.numel() == pytest.approx(128**2, rel=0.01)

    def test_nothing_is_looked_at_more_than_three_times_as_large(self) -> None:
        """A pixel of the problem is 8 of the picture's: of 24 x 16 of these, 9 x 6 are seen, not 24 x 16."""
        picture, guidance = noise(160, 240, 5), known(160, 240, (100, 80, 24, 16))
        (zoom,) = problem_of(picture, guidance, math.sqrt(20 * 30)).zooms
        rows, columns = zoom.target.shape[1:]
        across, down = 26, 18  # of the box and 6 % of it at each side, in whole pixels
        assert (rows, columns) == (round(down * 3 / 8), round(across * 3 / 8))

    def test_the_object_counts_and_its_focus_and_nothing_else(self) -> None:
        guidance = known(120, 200, (140, 20, 24, 40), (slice(20, 40), slice(None)))
        other = known(120, 200, (150, 40, 50, 60))
        both = replace(guidance, instances=(*guidance.instances, *other.instances))
        zoom = problem_of(noise(120, 200, 4), both, 60).zooms[0]
        wanted = torch.zeros(46, 28)
        wanted[3:43, 2:26] = 1
        wanted[3:23, 2:26] = 3
        assert torch.allclose(zoom.weight, wanted, atol=1e-5)
        assert [float(mask.mean()) for mask in zoom.masks] == pytest.approx(
            [24 * 40 / (46 * 28), 16 * 23 / (46 * 28)]
        )

    def test_the_canvas_below_is_seen_as_large(self) -> None:
        under = noise(120, 200, 4, seed=2)
        guidance = known(120, 200, (140, 20, 24, 40))
        problem = Problem.of(noise(120, 200, 4), guidance, 60.0, 50, 0.5, under)
        (objective,) = problem.zoomed_objectives([Segment(20, None), Segment(30, 0, 1.0)])
        assert torch.equal(objective.objective.blank, under[:, 17:63, 138:166])

    def test_the_finished_object_counts_alone(self) -> None:
        problem = problem_of(noise(120, 200, 4), known(120, 200, (140, 20, 24, 40)), 60)
        segments = [Segment(20, None, 0.03), Segment(10, 0, 0.03), Segment(20, 0, 1.0)]
        (objective,) = problem.zoomed_objectives(segments)
        assert [segment.weight for segment in objective.objective.segments] == [0, 0, 1]
        assert objective.weight == ZOOM_FACTOR

    def test_a_small_objects_error_falls_when_it_is_enlarged(self) -> None:
        """The same strokes, with and without a closer look at an object of 20 x 13 of 256 x 160 pixels."""
        picture = noise(160, 256, 20)
        picture[:, 30:43, 200:220] = noise(13, 20, 3, seed=5)
        problem = problem_of(picture, known(160, 256, (200, 30, 20, 13)), 50)
        strokes = torch.cat(
            [some_strokes(20, (0, 0, 1, 0.62)), some_strokes(30, (0.77, 0.11, 0.09, 0.06), seed=1)]
        )
        segments = [Segment(20, None), Segment(30, 0)]
        show = problem.guidance.instances[0].mask

        def error(zooms: tuple[Zoom, ...]) -> float:
            ladder, parts = ladder_of(replace(problem, zooms=zooms), 3.0), parts_of(segments)
            found = Refiner(strokes, parts, counts_of(parts), ladder, still(150)).run()
            strokes_on = Strokes.unpack(found[None, 20:])
            painted = render(strokes_on, torch.zeros(1, 3, 160, 256), show[None])[0]
            return float(((painted - picture) ** 2 * show).sum() / show.sum())

        assert len(problem.zooms) == 1
        assert error(problem.zooms) < 0.5 * error(())


@pytest.mark.parametrize(
    ("strokes", "factor"), [(10, 1.0), (300, 1.0), (1200, 2.0), (19_200, 8.0), (90_000, 8.0)]
)
def test_four_times_the_strokes_are_found_on_twice_the_sides(strokes: int, factor: float) -> None:
    assert length_factor(strokes) == factor


@pytest.mark.parametrize(
    ("height", "width", "length", "sides"),
    [
        (120, 200, math.sqrt(15), (3, 5)),
        (120, 200, math.sqrt(15 * 64), (24, 40)),
        (200, 120, math.sqrt(15 * 64), (40, 24)),
        (9, 9, 20.0, (20, 20)),  # enlarged
        (1, 10_000, 10.0, (1, 80)),  # a thread
        (10_000, 2, 50.0, (400, 1)),
    ],
)
def test_pixels_are_as_many_as_a_square_of_the_length_has(
    height: int, width: int, length: float, sides: tuple[int, int]
) -> None:
    """Whatever number of strokes there is; the longer side is at most eight times as long."""
    assert working_size(height, width, length) == sides
    for strokes in (1, 5000):
        problem = problem_of(torch.rand(3, height, width), Guidance.none(height, width), length, strokes)
        assert problem.target.shape == (3, *sides)


def test_what_later_objects_cover_counts_for_less() -> None:
    """Two objects that overlap: under the later one, a fifth of the error counts."""
    masks = torch.zeros(2, 1, 20, 50)
    masks[0, :, 5:15, 10:30], masks[1, :, 5:15, 25:45] = 1, 1
    focus = torch.zeros(1, 20, 50)
    focus[:, :, 26] = 0.5
    guidance = Guidance(masks.amax(0), focus, tuple(Instance.from_mask(mask) for mask in masks))
    ground, first, second = problem_of(noise(20, 50, 5), guidance).parts()
    assert ground.weight[10, [2, 12, 27, 40]].tolist() == pytest.approx([1, 0.2, 0.2, 0.2])
    assert first.weight[10, [2, 12, 27, 40]].tolist() == pytest.approx([0, 1, 0.2, 0])
    assert second.weight[10, [2, 12, 26, 27, 40]].tolist() == pytest.approx([0, 0, 1, 0.5, 0.5])
    assert first.weight[10, 26] == pytest.approx(0.4)


def test_weights_by_hand() -> None:
    mask, focus = torch.tensor([[0.0, 1, 1]]), torch.tensor([[0, 0, 0.5]])
    assert torch.allclose(background_weight(mask), torch.tensor([[1, 0.2, 0.2]]))
    assert torch.allclose(foreground_weight(mask, focus), torch.tensor([[0, 0.5, 1]]))


def test_the_unfinished_painting_counts_at_a_tenth_a_quarter_half_and_three_quarters() -> None:
    """Cuts within and at the end of segments; the marks count 0.03, the finished painting 1."""
    segments = video_segments([Segment(50, None), Segment(20, 0), Segment(30, 1)])
    assert [(each.count, each.mask, each.weight) for each in segments] == [
        (10, None, 0.03),
        (15, None, 0.03),
        (25, None, 0.03),
        (20, 0, 0.0),
        (5, 1, 0.03),
        (25, 1, 1.0),
    ]
    assert [each.weight for each in video_segments([Segment(1, None)])] == [1.0]


@pytest.mark.parametrize(("height", "width"), [(61, 200), (200, 61)])
def test_strokes_come_back_from_the_picture(height: int, width: int) -> None:
    """A corner of the problem is a corner of the picture, though its sides were rounded."""
    problem = problem_of(torch.rand(3, height, width), Guidance.none(height, width), 23)
    rows, columns = problem.target.shape[1:]
    corner = torch.tensor([[columns, rows] * 3 + [1.0] * 7])
    corner[:, :6] /= problem.size
    strokes = problem.to_picture(corner)
    wanted = torch.tensor([width, height]) / max(width, height)
    assert torch.allclose(strokes.points[0, 0], wanted.expand(3, 2))
    assert torch.allclose(problem.from_picture(strokes), corner)
