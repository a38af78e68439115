"""Painting in tiles: what they see and touch, and that nobody sees where they met."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance import Guidance, Painter, Strokes
from semantic_guidance.agents.planner import Planner
from semantic_guidance.agents.problem import Problem
from semantic_guidance.painter.detail import (
    BASE_SHARE,
    Detail,
    add_detail,
    shared_out,
    tiles,
    tiles_across,
)
from semantic_guidance.painter.presets import PRESETS, RefineConfig
from semantic_guidance.painting.medium import Medium
from semantic_guidance.renderer import render
from semantic_guidance.renderer.objective import Segment

SHORT = RefineConfig(steps=60)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """Coloured texture at two scales, with an edge across it, 120 x 180."""
    rng = np.random.default_rng(0)
    parts = [cv2.resize(rng.random((120 // s, 180 // s, 3), np.float32), (180, 120)) for s in (5, 24)]
    pixels = 0.4 * parts[0] + 0.6 * parts[1]
    pixels[:, 90:] = 1 - pixels[:, 90:]
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


@pytest.fixture
def problem(picture) -> Problem:
    return Problem.of(picture, Guidance.none(120, 180), 120.0, 300, 0.0)


@pytest.mark.parametrize(("height", "width", "across"), [(90, 120, 3), (50, 31, 4), (7, 300, 8), (1, 1, 5)])
def test_tiles_cover_the_picture_once(height, width, across):
    covered = np.zeros((height, width), int)
    for tile in tiles(height, width, across):
        covered[tile.own] += 1
        seen = np.zeros((height, width), bool)
        seen[tile.view] = True
        assert seen[tile.own].all()
        if across > 1 and height > 20:
            assert seen.sum() > covered[tile.own].size
    assert (covered == 1).all()


def test_strokes_go_to_where_the_error_is():
    parts = tiles(40, 40, 2)
    errors = torch.zeros(40, 40)
    errors[:20, :20], errors[20:, 20:] = 0.09, 0.01
    assert shared_out(400, errors, parts) == [300, 0, 0, 100]
    assert shared_out(10, 0 * errors, parts) == [2, 3, 3, 2]


@pytest.mark.parametrize(("strokes", "across"), [(1, 1), (1500, 1), (1501, 2), (5000, 3), (100_000, 8)])
def test_tiles_by_number_of_strokes(strokes, across):
    assert tiles_across(strokes) == across
    assert Painter(agent="planner", strokes=strokes).detail == across
    assert Painter(agent="planner", strokes=strokes, preset="draft").detail == 1


def test_a_tile_touches_only_what_it_sees(problem):
    height, width = problem.weight.shape
    canvas = torch.full((3, height, width), 0.5)
    detail = Detail(problem, Planner(), 3, SHORT, 0, lambda share: None, 100)
    for tile in detail.tiles[::2]:
        vectors = detail._tile(tile, canvas, None, problem.weight, 40)
        painted = render(Strokes.unpack(vectors[None]), canvas[None])[0]
        changed = (painted != canvas).any(dim=0)
        rows, columns = tile.view
        assert changed[rows, columns].float().mean() > 0.2
        changed[rows, columns] = False
        assert not changed.any()


def test_together_holds_what_leaves_the_frame_and_lowers_the_error(problem):
    base = torch.rand(150, 13, generator=torch.Generator().manual_seed(0))
    base[:, 2:6] = base[:, :2].repeat(1, 2) + 0.1 * (base[:, 2:6] - 0.5)
    base[:, 1:6:2] *= 2 / 3
    base[:, 6:8] = 0.01 + 0.03 * base[:, 6:8]
    base[0] = torch.tensor([0.0, 0.3, 0.5, 0.3, 1.0, 0.3, 0.02, 0.02, 1, 1, 1, 0, 0])  # through all tiles
    detail = Detail(problem, Planner(), 2, SHORT, 0, lambda share: None, 150)
    segments = [Segment(150, None)]
    refined = detail.together(base, segments)
    assert torch.equal(refined[0], base[0])
    assert (refined[1:] != base[1:]).any(dim=1).float().mean() > 0.5
    objective = problem.objective([Segment(150, None, 1.0)])
    assert objective.gradient(refined, 1.0)[0] < 0.8 * objective.gradient(base, 1.0)[0]


def test_add_detail_counts_and_keeps_parts(picture):
    mask = torch.zeros(1, 120, 180)
    mask[:, 30:100, 40:120] = 1
    guidance = Guidance.from_mask(mask)
    problem = Problem.of(picture, guidance, 100.0, 200, 0.6)
    first = Strokes.unpack(torch.rand(1, 50, 13) * 0.2)
    told: list[float] = []
    strokes, segments = add_detail(
        problem, Planner(), first, [Segment(30, None, 0.1), Segment(20, 0, 1.0)], 2, None, 0, told.append
    )
    assert [(segment.count, segment.mask) for segment in segments] == [(80, None), (120, 0)]
    assert torch.allclose(strokes.pack()[:, :30], first.pack()[:, :30], atol=1e-5)
    assert torch.allclose(strokes.pack()[:, 80:100], first.pack()[:, 30:], atol=1e-5)
    assert told == sorted(told)


def test_no_seams(picture):
    """The error along the tiles' common edges is about that of elsewhere, and far below the first one."""
    preset = replace(PRESETS["standard"], refine=replace(SHORT, steps=150))
    painter = Painter("planner", preset, strokes=500, detail=3, size=180)
    painting = painter.paint(picture, Guidance.none(120, 180))
    assert len(painting.strokes) == 500
    error = ((painting.canvas - picture) ** 2).mean(dim=0)
    near = torch.zeros(120, 180, dtype=torch.bool)
    for edge in (40, 80):
        near[edge - 3 : edge + 3] = True
    for edge in (60, 120):
        near[:, edge - 3 : edge + 3] = True
    assert error[near].mean() < 1.25 * error[~near].mean()
    base = Painter("planner", preset, strokes=round(500 * BASE_SHARE), detail=1, size=180)
    first = base.paint(picture, Guidance.none(120, 180))
    assert error.mean() < 0.7 * ((first.canvas - picture) ** 2).mean()


def test_detail_of_an_object_stays_under_its_mask(picture):
    mask = torch.zeros(1, 120, 180)
    mask[:, 30:100, 40:120] = 1
    paintings = [
        Painter(agent="planner", strokes=60, detail=2, preset="draft", size=180, seed=seed).paint(
            picture, Guidance.from_mask(mask)
        )
        for seed in (1, 1, 2)
    ]
    packed = [painting.strokes.pack() for painting in paintings]
    assert torch.equal(packed[0], packed[1])
    assert not torch.equal(packed[0], packed[2])
    assert [layer.level for layer in paintings[0].layers] == ["background", "foreground"]
    background = replace(paintings[0], layers=paintings[0].layers[:1])
    outside = (background.canvas - paintings[0].canvas).abs() * (1 - mask)
    assert outside.max() < 1e-6


def test_tiles_have_every_tool():
    limited = Medium(opaque=True)
    assert Painter(agent="planner", strokes=5000, medium=limited).detail == 1
    with pytest.raises(ValueError, match="detail is 3, wanted 1 with a palette, brushes or opaque paint"):
        Painter(detail=3, medium=limited)


@pytest.mark.parametrize("detail", [0, 9])
def test_what_is_wrong_is_named(detail):
    with pytest.raises(ValueError, match=f"detail is {detail}, wanted a whole number from 1 to 8"):
        Painter(detail=detail)
