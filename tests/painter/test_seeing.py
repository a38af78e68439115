"""What a hand makes of a picture before it paints, and where it looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.seeing import FACE, LUMA, Sight, attention, faces, toned_ground


def problem(picture: torch.Tensor, guidance: Guidance | None = None) -> Problem:
    known = guidance or Guidance.none(*picture.shape[1:])
    return Problem.of(picture, known, 40, 60, 0.5)


def ramp() -> torch.Tensor:
    """Greys from black to white, ``[3, 40, 40]``."""
    return torch.linspace(0, 1, 40).expand(3, 40, 40).contiguous()


def seen(picture: torch.Tensor, **dials: float) -> np.ndarray:
    return Sight.of(problem(picture), Hand(**dials)).problem.target.numpy()


def test_a_hand_without_dials_of_tone_sees_the_picture():
    np.testing.assert_array_equal(seen(ramp()), problem(ramp()).target)


@given(tones=st.integers(2, 8))
def test_tones_are_so_many_flat_steps(tones):
    light = seen(ramp(), tones=tones)[0, 0]
    middles = (np.arange(tones) + 0.5) / tones
    near = np.abs(light[:, None] - middles).min(axis=1)
    assert (near < 0.02).mean() > 0.55  # flat, but for soft steps between
    assert (np.diff(light) > -1e-6).all()


def test_contrast_turns_about_the_mean():
    light = seen(ramp(), contrast=0.5)[0, 0]
    np.testing.assert_allclose(light, 0.5 + 0.5 * (ramp()[0, 0].numpy() - 0.5), atol=1e-5)


def test_warmth_makes_lights_warm_and_darks_cool():
    red, _, blue = seen(ramp(), warmth=1.0)[:, 0]
    assert (red - blue)[30] > 0.05
    assert (red - blue)[10] < -0.05
    cold = seen(ramp(), warmth=-1.0)[:, 0]
    assert (cold[0] - cold[2])[30] < -0.05


def test_darks_count_more():
    heed = attention(problem(ramp()))
    assert heed[20, 4] > 2 * heed[20, 34]


def test_faces_are_instances_of_that_kind():
    body, face, beside = (torch.zeros(1, 40, 40) for _ in range(3))
    body[:, 5:35, 5:35], face[:, 8:16, 12:20], beside[:, 36:39, 2:10] = 1, 1, 1
    kinds = ("object", "face", "object")
    instances = tuple(
        Instance(mask, (0, 0, 40, 40), kind) for mask, kind in zip((body, face, beside), kinds, strict=True)
    )
    known = Guidance(torch.maximum(body, beside), torch.zeros(1, 40, 40), instances)
    found = faces(problem(torch.full((3, 40, 40), 0.5), known))
    np.testing.assert_array_equal(found > 0.5, face[0].numpy() > 0.5)
    heed = attention(problem(torch.full((3, 40, 40), 0.5), known))
    assert heed[10, 15] / heed[30, 30] == pytest.approx(1 + FACE, rel=0.01)


def test_a_toned_ground_is_warm_and_darker():
    red, green, blue = toned_ground(problem(torch.full((3, 40, 40), 0.6)))
    assert red > green > blue
    assert np.dot((red, green, blue), LUMA) == pytest.approx(0.75 * 0.6, rel=0.02)
