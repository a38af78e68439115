"""What objects are worth: weights and shares of toy pictures, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance import Painter
from semantic_guidance.agents import weighing
from semantic_guidance.agents.problem import Problem
from semantic_guidance.agents.weighing import (
    COST,
    certainty,
    expected_cost,
    expected_shares,
    weigh,
    weight_of,
)
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.painter.presets import Preset, RefineConfig

HEIGHT, WIDTH, STROKES = 64, 128, 300
LEFT, RIGHT = (16, 16), (16, 88)
"""Corners (row, column) of two objects of 24 x 24 pixels."""


def mask_at(place: tuple[int, int], side: int = 24) -> Tensor:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, place[0] : place[0] + side, place[1] : place[1] + side] = 1
    return mask


def guidance_of(*instances: Instance) -> Guidance:
    mask = torch.stack([each.mask for each in instances]).amax(dim=0)
    return Guidance(mask, torch.zeros_like(mask), instances)


def checks() -> Tensor:
    """A pattern that is the same everywhere, so that all places have as much detail, ``[3, H, W]``."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (
        torch.from_numpy(((rows // 2 + columns // 2) % 2).astype(np.float32)).expand(3, -1, -1).contiguous()
    )


def problem_of(picture: Tensor, guidance: Guidance, share: float | None = None) -> Problem:
    return Problem.of(picture, guidance, math.sqrt(HEIGHT * WIDTH), STROKES, share)


@pytest.mark.parametrize(
    ("confidence", "salience", "kind", "weight"),
    [
        (1.0, 1.0, "object", 12.0),
        (0.9, 1.0, "object", 12.0),
        (0.7, 1.0, "object", 6.5),
        (0.7, 0.5, "object", 3.75),
        (0.5, 1.0, "object", 1.0),
        (0.1, 1.0, "object", 1.0),
        (1.0, 0.0, "object", 1.0),
        (1.0, 1.0, "face", 30.0),
    ],
)
def test_weights_by_hand(confidence: float, salience: float, kind: str, weight: float) -> None:
    instance = Instance.from_mask(mask_at(LEFT), kind, confidence, salience)
    assert weight_of(instance) == pytest.approx(weight)


def test_certainty_rises_with_confidence() -> None:
    found = [certainty(each) for each in np.linspace(0, 1, 21)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 1)


def test_a_doubtful_object_is_background() -> None:
    """Of two that are alike: one of no confidence has the weight of the background, and no strokes."""
    sure, doubtful = (
        Instance.from_mask(mask_at(place), confidence=sure) for place, sure in ((LEFT, 1.0), (RIGHT, 0.0))
    )
    guidance = guidance_of(doubtful, sure)
    focused = replace(guidance, focus=guidance.mask.clone())
    kept = focused.trusted()
    assert kept.instances == (sure,)
    assert torch.equal(kept.mask, sure.mask)
    assert torch.equal(kept.focus, sure.mask)
    problem = problem_of(checks(), kept)
    assert float(problem.weight[28, 100]) == float(problem.weight[2, 60]) == 1
    assert float(problem.weight[28, 28]) > 1
    assert kept.trusted() is kept


def test_a_painting_of_doubtful_objects_is_one_without_guidance() -> None:
    """And those that are painted keep their numbers among all that are known."""
    picture = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    doubtful = Instance.from_mask(mask_at(LEFT), confidence=0.3)
    sure = Instance.from_mask(mask_at(RIGHT))
    preset = Preset(side=40, refine=RefineConfig(steps=6))
    painter = Painter("planner", preset, strokes=12, size=64)
    plain = painter.paint(picture, Guidance.none(HEIGHT, WIDTH))
    doubted = painter.paint(picture, guidance_of(doubtful))
    assert torch.equal(plain.strokes.pack(), doubted.strokes.pack())
    assert doubted.foreground_strokes == 0
    assert doubted.guidance.instances[0].confidence == 0.3
    both = painter.paint(picture, guidance_of(doubtful, sure))
    assert {layer.instance for layer in both.layers if layer.level == "foreground"} == {1}
    assert len(both.guidance.instances) == 2


def test_even_detail_and_weight_have_shares_by_area() -> None:
    shares = expected_shares(
        checks(), torch.ones(HEIGHT, WIDTH), torch.cat([mask_at(LEFT), mask_at(RIGHT)]), STROKES
    )
    area = 24 * 24 / (HEIGHT * WIDTH)
    assert shares == pytest.approx([1 - 2 * area, area, area], abs=0.01)


def test_shares_follow_the_law_by_hand() -> None:
    """With twice the weight, even detail has 2 ** (1 / 1.6) = 1.54 times the strokes."""
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, :, : WIDTH // 2] = 1
    shares = expected_shares(checks(), 1 + mask[0], mask, STROKES)
    assert shares[1] / shares[0] == pytest.approx(2 ** (1 / 1.6), rel=0.03)


def test_what_a_later_object_hides_is_not_the_earlier_one_s() -> None:
    masks = torch.cat([mask_at(LEFT), mask_at(LEFT)])
    shares = expected_shares(checks(), torch.ones(HEIGHT, WIDTH), masks, STROKES)
    assert shares[1] == pytest.approx(0, abs=1e-6)
    assert sum(shares) == pytest.approx(1)


def test_a_flat_object_gets_few_strokes_though_it_weighs_much() -> None:
    picture, mask = checks(), mask_at((10, 16), 44)
    flat = torch.where(mask > 0, 0.5, picture)
    rich, poor = (problem_of(each, guidance_of(Instance.from_mask(mask))) for each in (picture, flat))
    assert float(poor.weight.max()) > float(rich.weight.max()) > 1.5
    assert poor.budgets[1] < 0.6 * rich.budgets[1]
    assert sum(poor.budgets) == sum(rich.budgets) == STROKES


def test_what_is_on_the_canvas_needs_no_strokes() -> None:
    """All but the object is there already."""
    picture, mask = checks(), mask_at(LEFT)
    start = torch.where(mask > 0, 0.5, picture)
    instances = (Instance.from_mask(mask),)
    painted = Problem.of(picture, guidance_of(*instances), math.sqrt(HEIGHT * WIDTH), STROKES, None, start)
    assert painted.budgets[1] > 0.75 * STROKES


def test_a_given_share_is_kept() -> None:
    guidance = guidance_of(Instance.from_mask(mask_at(LEFT)), Instance.from_mask(mask_at(RIGHT)))
    problem = problem_of(checks(), guidance, 0.5)
    assert problem.budgets == (150, 75, 75)
    assert problem.bound
    assert not problem_of(checks(), guidance).bound


@given(
    weights=st.lists(st.floats(1, 50), min_size=2, max_size=40),
    details=st.lists(st.floats(0.01, 10), min_size=40, max_size=40),
)
def test_no_way_to_weigh_is_better_for_the_whole_than_none(
    weights: list[float], details: list[float]
) -> None:
    detail = np.array(details[: len(weights)], np.float32)
    assert expected_cost(detail, np.array(weights, np.float32)) >= 1 - 1e-4
    assert expected_cost(detail, np.full_like(detail, weights[0])) == pytest.approx(1, rel=1e-4)


def test_expected_cost_by_hand() -> None:
    """Two places of the same detail, one of weight 2 ** 1.6: 4/3 of a mean density of strokes, and 2/3."""
    found = expected_cost(np.ones(2, np.float32), np.array([2**1.6, 1], np.float32))
    assert found == pytest.approx(((4 / 3) ** -0.6 + (2 / 3) ** -0.6) / 2, rel=1e-5)


@pytest.mark.parametrize("faces", [1, 20])
def test_weights_are_bounded_so_that_the_whole_is_not_starved(faces: int) -> None:
    """However many faces there are; and they still count more than the rest."""
    places = [(8 + 28 * (n % 2), 4 + 12 * (n // 2)) for n in range(faces)]
    instances = tuple(Instance.from_mask(mask_at(place, 10), "face") for place in places)
    guidance = guidance_of(*instances)
    masks = torch.cat([each.mask for each in instances])
    picture = checks()
    weight = weigh(picture, masks, guidance.focus[0], instances, STROKES)
    detail = weighing.detail_of(picture, STROKES)
    assert expected_cost(detail, weighing._small(weight, detail)) <= COST + 1e-3
    assert 1.5 < float(weight[masks.amax(dim=0) > 0].min()) <= 48
    assert (weight[masks.amax(dim=0) == 0] == 1).all()


def test_focus_counts_more_by_hand() -> None:
    """A few pixels, so that nothing is lowered: full focus counts half as much again, off the object, too."""
    mask = mask_at((30, 60), 1)
    focus = torch.zeros(HEIGHT, WIDTH)
    focus[30, 60], focus[2, 2] = 1, 0.5
    weight = weigh(checks(), mask, focus, (Instance.from_mask(mask),), STROKES)
    assert weight[30, 60] == pytest.approx(18)
    assert weight[2, 2] == pytest.approx(1.25)
    assert float(weight.sum()) == pytest.approx(18 + 1.25 + HEIGHT * WIDTH - 2)
