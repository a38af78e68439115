"""Directions of pictures whose directions are known, and curves along them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.agents.flow import LEAN, Flow, blur, flow, quick_flow, sample, streamlines

SIDE = 96


def stripes(angle: float, length: float = 8.0) -> np.ndarray:
    """A picture of stripes that run along an angle, ``[H, W, 3]``."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    across = columns * -math.sin(angle) + rows * math.cos(angle)
    return np.repeat(0.5 + 0.4 * np.sin(2 * math.pi / length * across)[..., None], 3, axis=2)


def everywhere(picture: np.ndarray) -> list[np.ndarray]:
    return [np.ones(picture.shape[:2], np.float32)]


def apart(headings: np.ndarray, angle: float) -> np.ndarray:
    """Radians between headings and a direction without a sign."""
    along = np.abs(headings @ np.array([math.cos(angle), math.sin(angle)]))
    return np.arccos(np.clip(along, 0, 1))


@given(angle=st.floats(0, math.pi))
def test_stripes_run_as_they_were_drawn(angle: float) -> None:
    picture = stripes(angle)
    field = flow(picture, everywhere(picture), 3.0)
    places = np.random.default_rng(0).uniform(12, SIDE - 12, (50, 2)).astype(np.float32)
    assert apart(field.heading(places), angle).max() < 0.06
    assert sample(field.sure, places).min() > 0.8
    assert sample(field.rough, places).max() < 0.05


def test_circles_are_followed() -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5 - SIDE / 2
    picture = np.repeat((0.5 + 0.4 * np.sin(np.hypot(rows, columns)))[..., None], 3, axis=2)
    field = flow(picture, everywhere(picture), 2.0)
    turns = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    spokes = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    places = (SIDE / 2 + 30 * spokes).astype(np.float32)
    assert np.abs((field.heading(places) * spokes).sum(1)).max() < 0.12  # at right angles to the radius
    curves = streamlines(field, places, np.full(40, 12.0, np.float32))
    middle = 0.25 * curves[:, 0] + 0.5 * curves[:, 1] + 0.25 * curves[:, 2]
    np.testing.assert_allclose(middle, places, atol=0.01)
    radii = np.hypot(*(curves[:, [0, 2]] - SIDE / 2).reshape(-1, 2).T)
    assert radii.min() > 28
    assert radii.max() < 34  # a straight arm of 12 px would get to 32.3, and both off the circle alike
    assert (np.hypot(*(curves[:, 1] - SIDE / 2).T) > 30).all()  # bent outwards


def test_an_empty_picture_leans_as_the_hand_does() -> None:
    picture = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    field = flow(picture, everywhere(picture), 3.0)
    assert apart(field.heading(np.float32([[5, 5], [50, 20]])), LEAN).max() < 1e-3
    assert field.sure.max() < 1e-3
    assert field.rough.max() < 1e-3


def test_flat_places_take_the_direction_of_what_is_around() -> None:
    picture = np.where(np.arange(SIDE)[None, :, None] < SIDE // 3, stripes(math.pi / 2), np.float32(0.5))
    picture = np.ascontiguousarray(picture, np.float32)
    field = flow(picture, everywhere(picture), 2.0)
    assert apart(field.heading(np.float32([[SIDE // 3 + 12, 40]])), math.pi / 2)[0] < 0.2


def test_regions_do_not_mix() -> None:
    left = (np.arange(SIDE) < SIDE // 2).astype(np.float32)[None].repeat(SIDE, 0)
    picture = np.where(left[..., None] > 0, stripes(0.3), stripes(1.7)).astype(np.float32)
    place = np.float32([[SIDE // 2 - 4, 48]])
    mixed = flow(picture, everywhere(picture), 12.0)
    split = flow(picture, [left, 1 - left], 12.0)
    assert apart(split.heading(place), 0.3)[0] < 0.6 * apart(mixed.heading(place), 0.3)[0]


def test_noise_is_rough_and_wanders() -> None:
    rng = np.random.default_rng(1)
    picture = rng.random((SIDE, SIDE, 3), dtype=np.float32)
    still = flow(picture, everywhere(picture), 3.0)
    loose = flow(picture, everywhere(picture), 3.0, wander=0.6, rng=rng)
    assert still.rough.mean() > 0.5
    places = rng.uniform(0, SIDE, (400, 2)).astype(np.float32)
    dot = np.abs((still.heading(places) * loose.heading(places)).sum(1)).clip(0, 1)
    wanted = 0.6 * math.sqrt(2 / math.pi) * still.rough.mean()  # mean of a normal variable's size
    assert np.arccos(dot).mean() == pytest.approx(wanted, rel=0.25)


def test_curves_stop_at_other_colours() -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.float32)
    picture[:, 60:] = 1
    level = Flow(
        np.tile(np.float32([1, 0]), (SIDE, SIDE, 1)),
        np.ones((SIDE, SIDE), np.float32),
        np.zeros((SIDE, SIDE), np.float32),
    )
    centre, reach = np.float32([[50.5, 40.5]]), np.float32([20])
    (free,) = streamlines(level, centre, reach)
    (held,) = streamlines(level, centre, reach, [(picture, 0.16)])
    (least,) = streamlines(level, centre, reach, [(picture, 0.16)], least=13.0)
    assert sorted(free[[0, 2], 0]) == pytest.approx([30.5, 70.5])
    assert sorted(held[[0, 2], 0]) == pytest.approx([30.5, 58.5])  # two steps of four pixels
    assert sorted(least[[0, 2], 0]) == pytest.approx([30.5, 62.5])  # three, as 12 px are free
    assert held[1].tolist() == pytest.approx([44.5, 40.5])  # straight, as the centre is not in the middle


@given(angle=st.floats(-3, 3))
def test_turning_turns_headings(angle: float) -> None:
    picture = stripes(0.5)
    field = flow(picture, everywhere(picture), 3.0)
    places = np.float32([[20, 30], [60, 70]])
    turned = field.turned(angle).heading(places)
    for before, after in zip(field.heading(places), turned, strict=True):
        wanted = math.atan2(before[1], before[0]) + angle
        assert abs(after @ np.array([math.cos(wanted), math.sin(wanted)])) == pytest.approx(1, abs=1e-4)


@given(scale=st.floats(0.6, 30))
def test_blur_keeps_the_mean_of_what_is_the_same_everywhere(scale: float) -> None:
    np.testing.assert_allclose(blur(np.full((40, 50, 2), 0.3, np.float32), scale), 0.3, atol=1e-5)


@pytest.mark.parametrize("scale", [3.0, 7.0, 20.0])
def test_a_quick_flow_is_nearly_the_same(scale: float) -> None:
    rng = np.random.default_rng(1)
    picture = np.sqrt(blur(rng.random((130, 170, 3), np.float32), 4) - 0.3)
    region = np.zeros((130, 170), np.float32)
    region[:, 60:] = 1
    regions = [1 - region, region]
    exact, quick = flow(picture, regions, scale), quick_flow(picture, regions, scale)
    assert np.allclose(np.linalg.norm(quick.double, axis=-1), 1, atol=1e-5)
    alike = (exact.double * quick.double).sum(-1)  # cosine of twice the angle between them
    assert np.average(alike, weights=exact.sure) > 0.97
    assert np.abs(exact.sure - quick.sure).mean() < 0.05
    assert np.abs(exact.rough - quick.rough).mean() < 0.05


def test_a_quick_flow_of_a_thin_picture() -> None:
    picture = np.random.default_rng(0).random((1, 40, 3), np.float32)
    found = quick_flow(picture, everywhere(picture), 30.0)
    assert found.double.shape == (1, 40, 2)
    assert np.isfinite(found.double).all()
