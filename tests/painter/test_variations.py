"""Variations give a choice, and can be made again."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance import Guidance, Painter, load_image
from semantic_guidance.apps.hand import DIALS
from semantic_guidance.core.config import MAX_SEED
from semantic_guidance.core.resample import resample
from semantic_guidance.painter.hand import BOUNDS, Hand
from semantic_guidance.painter.styles import Style
from semantic_guidance.painter.variations import variations
from tests.conftest import EXAMPLES

STYLE = Style("mine", hand=Hand(), ground="toned")


@given(st.integers(2, 16), st.integers(0, MAX_SEED), st.floats(0, 1), st.floats(0.1, 10))
@settings(max_examples=60, deadline=None)
def test_each_is_another_within_bounds(count, seed, looseness, width):
    style = dataclasses.replace(STYLE, hand=Hand(looseness=looseness, width=width))
    found = variations(style, count, seed)
    assert found[0].style == style
    assert (found[0].seed, found[0].dials) == (seed, {})
    assert [each.seed for each in found] == [(seed + n) % 2**32 for n in range(count)]
    for each in found:
        assert each.style == dataclasses.replace(style, hand=dataclasses.replace(style.hand, **each.dials))
        for name, value in each.dials.items():
            assert BOUNDS[name][0] <= value <= BOUNDS[name][1]
            assert float(f"{value:.2f}") == value
            assert name in DIALS
    assert found == variations(style, 16, seed)[:count]


@pytest.mark.parametrize("seed", range(8))
def test_any_two_differ_in_half_of_the_dials(seed):
    plain = dataclasses.asdict(Hand())
    found = variations(STYLE, 16, seed)[1:]
    sides = [{name: np.sign(value - plain[name]) for name, value in each.dials.items()} for each in found]
    assert all(len(each) == 8 for each in sides)
    for one, other in itertools.combinations(sides, 2):
        assert sum(one[name] != other[name] for name in one) >= 4
    assert all(sides[0][name] != sides[1][name] for name in sides[0])


def test_what_a_person_has_set_stays():
    for each in variations(STYLE, 5, 0, fixed=("width", "warmth"))[1:]:
        assert each.style.hand is not None
        assert (each.style.hand.width, each.style.hand.warmth) == (1, 0)
        assert len(each.dials) == 6


def test_a_likeness_has_other_seeds_alone():
    style = Style("likeness")
    assert [(each.style, each.dials) for each in variations(style, 3)] == [(style, {})] * 3


@pytest.mark.parametrize(
    ("count", "seed", "complaint"),
    [
        (1, 0, "variations is 1, wanted 2 to 16"),
        (17, 0, "wanted 2 to 16"),
        (2, -1, "seed is -1, wanted 0 to"),
    ],
)
def test_what_there_is_not(count, seed, complaint):
    with pytest.raises(ValueError, match=complaint):
        variations(STYLE, count, seed)


def test_they_differ_more_than_seeds_do():
    """Mean difference of pixels; measured .100 against .087 with this picture."""
    image = resample(load_image(EXAMPLES / "coffee.jpg"), 80, 120)

    def painted(style: Style, seed: int) -> torch.Tensor:
        painter = Painter(preset="draft", style=style, strokes=80, size=120, seed=seed)
        return painter.paint(image, Guidance.none(80, 120)).canvas

    def apart(canvases: list[torch.Tensor]) -> float:
        pairs = itertools.combinations(canvases, 2)
        return float(np.mean([(one - other).abs().mean() for one, other in pairs]))

    varied = [painted(each.style, each.seed) for each in variations(STYLE, 4)]
    plain = [painted(STYLE, seed) for seed in range(4)]
    assert torch.equal(varied[0], plain[0])
    assert apart(plain) > 0.02
    assert apart(varied) > 1.1 * apart(plain)
