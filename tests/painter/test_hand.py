"""The dials of a hand: their ranges, their files, and what each means, measured on strokes."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.core.errors import InputError
from semantic_guidance.painter.hand import BOUNDS, Hand

FLAWS = [
    ({"lenght": 1}, "lenght is not a dial of a hand, wanted one of shares, radii,"),
    ({"length": "long"}, "length is 'long', wanted a number"),
    ({"length": True}, "length is True, wanted a number"),
    ({"length": float("nan")}, "length is nan, wanted a number"),
    ({"length": 1e9}, "length is 1000000000.0, wanted 0.1 to 10"),
    ({"tones": 2.5}, "tones is 2.5, wanted a whole number"),
    ({"pale_first": 1}, "pale_first is 1, wanted true or false"),
    ({"radii": 0.1}, "radii is 0.1, wanted a list of numbers"),
    ({"radii": [0.1]}, "radii has 1 layers and shares 5, wanted as many, at most 8"),
    ({"radii": [0.1], "shares": [0.5]}, "shares has a sum of 0.5, wanted 1"),
    ({"aspect": [3, 2]}, "aspect is 3 to 2, wanted the least first"),
    ({"aspect": [3]}, "aspect has 1 numbers, wanted 2"),
    ({"opacity": [0, 1]}, "opacity is 0.0, wanted 0.02 to 1"),
]


@pytest.mark.parametrize(("dials", "complaint"), FLAWS)
def test_flaws_are_named(dials, complaint):
    with pytest.raises(InputError) as caught:
        Hand.of(dials, "my.toml")
    assert str(caught.value).startswith(f"my.toml: {complaint}")


def hands() -> st.SearchStrategy[Hand]:
    numbers = {
        item.name: st.floats(*BOUNDS[item.name])
        for item in dataclasses.fields(Hand)
        if isinstance(item.default, float)
    }
    return st.builds(Hand, **numbers, tones=st.integers(0, 64), pale_first=st.booleans())


@given(hands())
def test_dials_come_back_from_json(hand):
    assert Hand.of(json.loads(json.dumps(hand.dials())), "file") == hand


@given(hands(), st.integers(1, 100_000))
def test_radii_fall_with_the_number_of_strokes_but_not_below_the_finest(hand, strokes):
    radii = hand.radii_for(strokes)
    assert all(radius >= hand.finest * min(1, hand.width) for radius in radii)
    assert all(few >= many for few, many in zip(radii, hand.radii_for(2 * strokes), strict=True))


def test_radii_by_hand():
    hand = Hand(shares=(0.5, 0.5), radii=(0.04, 0.001), shrink=0.5, finest=0.003)
    assert hand.radii_for(1000) == pytest.approx((0.04, 0.003))
    assert hand.radii_for(4000) == pytest.approx((0.02, 0.003))
    assert dataclasses.replace(hand, width=2.0).radii_for(4000) == pytest.approx((0.04, 0.003))
    assert dataclasses.replace(hand, width=0.5).radii_for(4000) == pytest.approx((0.01, 0.0015))


def test_what_goes_from_the_first_layer_to_the_last():
    assert Hand(opacity=(0.2, 1.0)).between("opacity") == pytest.approx((0.2, 0.4, 0.6, 0.8, 1.0))
    assert Hand(shares=(1.0,), radii=(0.1,), load=(0.3, 0.7)).between("load") == (0.3,)


def test_length_moves_both_bounds_but_never_makes_the_least_longer():
    assert Hand(aspect=(2, 8), length=2.0).bounds == (2, 16)
    assert Hand(aspect=(2, 8), length=0.5).bounds == (1, 4)
