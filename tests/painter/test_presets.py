"""The refinement's schedules, by hand; that they are followed is tested with `Refiner`."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.painter.presets import PRESETS, RefineConfig

OLD = 1000.0


def rates(config: RefineConfig, step: int, *ages: float) -> list[float]:
    """Of strokes of these ages."""
    return config.rate_at(step, torch.tensor(ages, dtype=torch.float32)[:, None])[:, 0].tolist()


def test_rates_fall_after_a_fifth_of_the_steps_to_a_tenth() -> None:
    config = RefineConfig(steps=200)
    found = [rates(config, step, OLD)[0] for step in (0, 40, 60, 120, 200)]
    assert found == pytest.approx([1, 1, 1 - 0.9 / 8, 0.55, 0.1])
    other = RefineConfig(steps=10, held=0.5, last_rate=0.0)
    assert [rates(other, step, OLD)[0] for step in (4, 5, 6, 10)] == pytest.approx([1, 1, 0.8, 0])


def test_strokes_that_were_born_late_have_higher_rates_for_forty_steps() -> None:
    """0.6 just after birth, less by 0.015 in each step, but no less than that of the others."""
    config = RefineConfig(steps=200)
    assert rates(config, 200, 0, 1, 20, 30, 39, 41) == pytest.approx([0.6, 0.585, 0.3, 0.15, 0.1, 0.1])
    assert rates(config, 120, 0, 3, 4) == pytest.approx([0.6, 0.555, 0.55])
    # In the first tenth there is no such stroke, whatever the rates are.
    slow = RefineConfig(steps=200, held=0.0, last_rate=0.0)
    assert rates(slow, 20, 0, 20) == pytest.approx([0.9, 0.9])
    assert rates(slow, 180, 0, 20) == pytest.approx([0.6, 0.3])


def test_edges_get_sharp_by_the_same_factor_in_each_step() -> None:
    """From 0.41 spacings to a pixel; those that are as sharp at first stay so."""
    config = RefineConfig(steps=200)
    found = [config.softness_at(step, 100 / 0.41) for step in (0, 50, 100, 150, 200)]
    assert found == pytest.approx([100, 100**0.75, 10, 100**0.25, 1])
    assert [config.softness_at(step, 2.0) for step in (0, 90, 200)] == [1, 1, 1]
    other = RefineConfig(steps=10, softness=(1.0, 2.0))
    assert [other.softness_at(step, 8.0) for step in (0, 5, 10)] == pytest.approx([8, 4, 2])


def test_crowds_by_hand() -> None:
    """Five times the strokes at first, of which two thirds stay each time; then two breaths."""
    config = RefineConfig(steps=1000, breaths=2, breathing=(0.4, 0.8), growth=4.0, prunes=2)
    fifth = 5**0.25
    assert config.crowds() == {
        0: 5,
        50: pytest.approx(5 / fifth),
        100: pytest.approx(math.sqrt(5)),
        150: pytest.approx(fifth),
        200: 1,
        400: 4,
        485: 2,
        570: 1,
        600: 4,
        685: 2,
        770: 1,
    }
    plain = RefineConfig(steps=100, surplus=1, breaths=0, surplus_prunes=2, surplus_until=0.5)
    assert plain.crowds() == {0: 1, 25: 1, 50: 1}


@given(
    steps=st.integers(1, 60),
    surplus=st.floats(1, 6),
    until=st.floats(0, 1),
    breaths=st.integers(0, 15),
    breathing=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).map(tuple),
    prunes=st.integers(1, 7),
)
def test_there_are_as_many_strokes_as_are_wanted_before_the_last_step(
    steps: int, surplus: float, until: float, breaths: int, breathing: tuple[float, float], prunes: int
) -> None:
    """However few steps there are for all that is to happen."""
    config = RefineConfig(
        steps, surplus=surplus, surplus_until=until, breaths=breaths, breathing=breathing, prunes=prunes
    )
    crowds = config.crowds()
    assert set(crowds) <= set(range(steps))
    assert 0 in crowds
    assert crowds[max(crowds)] == 1


def test_presets() -> None:
    """What they cost: a third of a thousand steps, or seven times as many with three times the breaths."""
    assert PRESETS["draft"].refine is None
    standard, fine = PRESETS["standard"].refine, PRESETS["fine"].refine
    assert standard is not None
    assert fine is not None
    assert (PRESETS["standard"].side, standard.steps, standard.breaths) == (85, 350, 4)
    assert (PRESETS["fine"].side, fine.steps, fine.breaths) == (85, 2500, 12)
    assert [PRESETS[name].agent for name in ("draft", "standard", "fine")] == ["semantic"] + ["planner"] * 2
    assert [PRESETS[name].baseline for name in ("draft", "standard", "fine")] == ["baseline"] + [
        "planner"
    ] * 2
    for config in (standard, fine):
        crowds = config.crowds()
        last = max(crowds)
        assert crowds[last] == 1
        assert 0.8 * config.steps < last < 0.9 * config.steps  # time is left for what was born last
