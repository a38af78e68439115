"""Rates of frames, read from what video people write."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.core.rates import BOUNDS, exact_rate, parse_rate

NTSC = {
    "23.976": Fraction(24000, 1001),
    "23.98": Fraction(24000, 1001),
    "23.97602": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "29.970": Fraction(30000, 1001),
    "47.952": Fraction(48000, 1001),
    "59.94": Fraction(60000, 1001),
}
rates = st.fractions(*BOUNDS, max_denominator=100_000)


@pytest.mark.parametrize("word", NTSC)
def test_decimals_of_ntsc_are_its_fractions(word):
    assert parse_rate(word) == NTSC[word]
    assert exact_rate(float(word)) == NTSC[word]


@settings(max_examples=50)
@given(rates)
def test_a_fraction_stays_what_it_is(rate):
    assert parse_rate(f"{rate.numerator}/{rate.denominator}") == rate
    assert exact_rate(rate) == rate


@settings(max_examples=50)
@given(st.integers(*BOUNDS), st.integers(0, 9))
def test_whole_numbers_and_tenths_are_exact(whole, tenths):
    assert parse_rate(str(whole)) == exact_rate(whole) == whole
    if whole < BOUNDS[1]:
        assert parse_rate(f"{whole}.{tenths}") == whole + Fraction(tenths, 10)


@settings(max_examples=50)
@given(st.decimals(*BOUNDS, places=3))
def test_decimals_are_exact_or_ntsc_s(number):
    rate = parse_rate(str(number))
    assert rate == Fraction(number) or (rate in NTSC.values() and abs(rate - Fraction(number)) < 6e-4)


@settings(max_examples=50)
@given(rates)
def test_a_rate_as_a_float_comes_back(rate):
    """As that very fraction, where the denominator is below a thousand."""
    got = exact_rate(float(rate))
    assert abs(got - rate) < 1e-9
    assert got == rate or rate.denominator > 700


@pytest.mark.parametrize(
    "word",
    ["", "0", "0.5", "61", "60.01", "-24", "24/0", "24/", "/1", "1e1", "nan", "inf", "24 fps"],
)
def test_what_is_no_rate(word):
    with pytest.raises(ValueError, match=r"wanted a number from 1 to 60, such as .*, or a fraction"):
        parse_rate(word)


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), 1e99, 0, Fraction(1, 2)])
def test_what_is_no_rate_as_a_number(value):
    with pytest.raises(ValueError, match="wanted a number from 1 to 60"):
        exact_rate(value)
