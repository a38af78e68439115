"""Strokes that a hand lays keep within its limits, and lie where and along what they should."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.strokes import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.laying import Layers, compose, within
from semantic_guidance.painter.seeing import Sight

STRIPED = Hand(shares=(0.2, 0.8), radii=(0.05, 0.02), shrink=0.0, economy=0.0, looseness=0.0)


def problem(picture: np.ndarray, guidance: Guidance | None = None, strokes: int = 60) -> Problem:
    image = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
    known = guidance or Guidance.none(*image.shape[1:])
    return Problem.of(image, known, 90, strokes, 0.5)


def stripes(side: int = 96) -> np.ndarray:
    """Vertical stripes, ``[H, W, 3]``."""
    across = 0.5 + 0.4 * np.sin(np.arange(side, dtype=np.float32) / 2)
    return np.ascontiguousarray(np.broadcast_to(across[None, :, None], (side, side, 3)), np.float32)


def layers(picture: np.ndarray, hand: Hand, guidance: Guidance | None = None, **more) -> Layers:
    seen = problem(picture, guidance)
    return Layers(Sight.of(seen, hand), hand, 60, np.random.default_rng(0), **more)


def chords(vectors: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    points = vectors[:, POINTS].reshape(-1, 3, 2).numpy()
    return points[:, 2] - points[:, 0], points[:, 1] - points[:, [0, 2]].mean(axis=1)


@given(
    values=arrays(np.float32, (7, 13), elements=st.floats(-2, 2, width=32)),
    length=st.floats(0.1, 10),
    curvature=st.floats(0, 1),
    taper=st.floats(0, 1),
)
def test_within_the_limits_whatever_they_were(values, length, curvature, taper):
    hand = Hand(length=length, curvature=curvature, taper=taper)
    vectors, limits = torch.from_numpy(values.copy()), torch.tensor([[0.01, 0.03, 0.7]]).expand(7, 3)
    within(vectors, hand, limits)
    radius, slack = vectors[:, RADIUS], 1e-5
    assert bool((radius <= 0.03 + slack).all())
    assert bool((radius.amax(1) >= 0.01 - slack).all())
    assert bool((radius.amin(1) >= (1 - taper) * radius.amax(1) - slack).all())
    assert bool((vectors[:, OPACITY] == 0.7).all())
    np.testing.assert_array_equal(vectors[:, COLOR].numpy(), values[:, COLOR])
    chord, bow = chords(vectors)
    long = np.hypot(*chord.T)
    width = 2 * np.maximum(radius.amax(1).numpy(), 0.01)
    least, most = hand.bounds
    known = np.hypot(*(values[:, 4:6] - values[:, :2]).T) > 1e-4  # where there was a direction to stretch in
    assert (long[known] >= least * width[known] * 0.999 - slack).all()
    assert (long <= most * width * 1.001 + slack).all()
    assert (np.hypot(*bow.T) <= curvature * long * 1.001 + 1e-4).all()


def test_what_is_within_stays():
    hand = Hand()
    given = torch.tensor([[0.1, 0.1, 0.2, 0.12, 0.3, 0.1, 0.02, 0.02, 1, 1, 0.1, 0.2, 0.3]])
    kept = given.clone()
    within(kept, hand, torch.tensor([[0.01, 0.03, 1.0]]))
    np.testing.assert_allclose(kept, given, atol=1e-7)


def test_strokes_run_along_stripes():
    found = compose(layers(stripes(), STRIPED), 60)
    chord, _ = chords(found.vectors)
    fine = found.levels == 1
    assert (np.abs(chord[fine, 1]) > 0.97 * np.hypot(*chord[fine].T)).all()
    assert np.bincount(found.levels).tolist() == [12, 48]
    assert set(found.parts.tolist()) == {-1}


def test_the_first_layer_is_even_and_the_last_where_the_error_is():
    picture = np.full((96, 96, 3), 0.5, np.float32)
    picture[:48, :48] = np.random.default_rng(0).random((48, 48, 3))
    found = compose(layers(picture, STRIPED), 60)
    middle = found.vectors[:, POINTS].reshape(-1, 3, 2).mean(dim=1).numpy()
    busy = (middle < 0.5).all(axis=1)
    assert busy[found.levels == 0].mean() < 0.5
    assert busy[found.levels == 1].mean() > 0.75


def left_half(side: int = 96) -> Guidance:
    mask = torch.zeros(1, side, side)
    mask[:, :, : side // 2] = 1
    return Guidance.from_mask(mask)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_strokes_is_the_objects(share):
    found = compose(layers(stripes(), STRIPED, left_half(), share=share), 60)
    assert (found.parts == 0).sum() == pytest.approx(share * 60, abs=1)


def test_edges_found_stop_strokes_and_edges_lost_do_not():
    picture = np.full((96, 96, 3), 0.5, np.float32)  # nothing but the object can stop a stroke

    def crossing(edges: float) -> float:
        hand = dataclasses.replace(STRIPED, edges=edges, aspect=(0.5, 8.0))
        found = compose(layers(picture, hand, left_half()), 60)
        ends = found.vectors[:, [0, 4]].numpy()
        return float(((ends < 0.5).sum(axis=1) == 1).mean())

    assert crossing(1.0) < 0.1 < 0.2 < crossing(0.0)


def test_parts_are_painted_from_the_back_within_a_layer():
    made = layers(stripes(), STRIPED, left_half())
    ordered = made.order(compose(made, 60))
    keys = list(zip(ordered.levels.tolist(), ordered.parts.tolist(), strict=True))
    assert keys == sorted(keys)


def test_economy_makes_strokes_wider_where_nobody_looks():
    mask = left_half()
    focus = dataclasses.replace(mask, focus=mask.mask.clone())

    def ratio(economy: float) -> float:
        hand = dataclasses.replace(STRIPED, economy=economy)
        found = compose(layers(stripes(), hand, focus, share=0.5), 200)
        radius = found.vectors[:, RADIUS].amax(1).numpy()
        fine = found.levels == 1
        return float(radius[fine & (found.parts < 0)].mean() / radius[fine & (found.parts == 0)].mean())

    assert ratio(0.0) == pytest.approx(1, abs=0.1)
    assert ratio(1.0) > 1.2
