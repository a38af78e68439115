import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance import render
from semantic_guidance.core.ltp_format import strokes_from_ltp, strokes_to_ltp
from semantic_guidance.core.strokes import Strokes
from tests.stamping import random_ltp_vectors, stamp


def alphas(vectors: np.ndarray, size: int = 128) -> np.ndarray:
    """Alpha of each stroke by itself: white paint on a black canvas."""
    white = torch.from_numpy(vectors).clone()[:, None]
    white[..., 10:] = 1
    return render(strokes_from_ltp(white), torch.zeros(len(vectors), 3, size, size))[:, 0].numpy()


@pytest.mark.parametrize("widest", [1.0, 0.8, 0.2])
def test_a_converted_stroke_covers_what_the_seed_stamps(widest: float) -> None:
    vectors = random_ltp_vectors(200, seed=1, widest=widest)
    stamped = np.stack([stamp(vector) for vector in vectors])
    assert np.mean((alphas(vectors) - stamped) ** 2) < 0.0005


def test_the_last_covering_disc_decides_the_opacity() -> None:
    # There and back again: the curve's end lies on its start, so the later, fainter discs cover the earlier.
    vector = np.array([[0.2, 0.5, 0.5, 0.5, 0.9, 0.5, 0.3, 0.3, 1.0, 0.2, 1, 1, 1]], np.float32)
    back = vector.copy()
    back[0, [0, 4]] = back[0, [4, 0]]
    back[0, [8, 9]] = back[0, [9, 8]]
    forward, backward = alphas(vector)[0], alphas(back)[0]
    row = 64
    # Painted downwards the stroke fades, and each disc's front edge belongs to it: at a given row the last
    # disc to cover it is one radius further on than its centre.
    assert forward[row, 64] < backward[row, 64]
    for ours, theirs in ((forward, stamp(vector[0])), (backward, stamp(back[0]))):
        assert abs(ours[row, 64] - theirs[row, 64]) < 0.02


def test_a_stroke_by_hand() -> None:
    # x of the reference code is the row: from row 0 to row 0.99 of the way to 1, column one half.
    strokes = strokes_from_ltp(
        torch.tensor([[[0, 0.5, 0.5, 0.5, 1, 0.5, 0, 1, 0, 1, 0.1, 0.2, 0.3]]], dtype=torch.float64)
    )
    assert torch.allclose(strokes.points[0, 0, :, 0], torch.tensor(0.5, dtype=torch.float64), atol=2e-3)
    assert strokes.points[0, 0, 0, 1] == pytest.approx(0, abs=1e-3)
    assert strokes.points[0, 0, 2, 1] == pytest.approx(0.99, abs=5e-3)
    assert strokes.radius[0, 0, 0] == pytest.approx(0.35 / 256, abs=1e-9)
    assert strokes.radius[0, 0, 1] == pytest.approx(0.25 * 0.99, abs=2e-3)
    assert strokes.opacity[0, 0].tolist() == pytest.approx([0, 0.99])
    assert strokes.color[0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])


@given(st.integers(0, 2**31), st.integers(1, 20))
def test_there_and_back(seed: int, count: int) -> None:
    vectors = torch.rand(2, count, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(strokes_to_ltp(strokes_from_ltp(vectors)), vectors, atol=1e-6)


def test_a_stroke_that_the_seed_cannot_write_becomes_the_nearest_vector() -> None:
    outside = Strokes.unpack(torch.tensor([[[-0.2, 0.5, 3.0, 0.5, 0.7, 0.5, 0.9, 0.1, 1, 1, 2.0, 0, 0]]]))
    vectors = strokes_to_ltp(outside)
    assert (vectors >= 0).all()
    assert (vectors <= 1).all()


def test_gradients_of_the_converter() -> None:
    vectors = torch.rand(1, 3, 13, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: strokes_from_ltp(v).pack(), vectors)


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"vectors has shape \[5, 13\], wanted \[batch, strokes, 13\]"):
        strokes_from_ltp(torch.zeros(5, 13))
