"""The quadratic Bezier curve, against de Casteljau's construction."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semantic_guidance.core import bezier

share = st.floats(-2, 2)
curves = arrays(np.float64, (3, 2), elements=share)


def construct(points: np.ndarray, t: float) -> np.ndarray:
    first, second = points[0] + t * (points[1] - points[0]), points[1] + t * (points[2] - points[1])
    return first + t * (second - first)


@given(curves, share)
def test_a_point_of_the_curve(points, t):
    assert np.allclose(np.array(bezier.weights(t)) @ points, construct(points, t), atol=1e-9)


@given(curves, share, share, st.floats(0, 1))
def test_a_part_is_the_same_curve(points, first, last, t):
    part = np.stack(bezier.part(list(points), first, last))
    assert np.allclose(construct(part, t), construct(points, first + t * (last - first)), atol=1e-9)


@given(curves, share)
def test_the_head_is_the_part_from_the_start(points, last):
    tensors = torch.from_numpy(points)
    head = torch.stack(bezier.head(tensors.unbind(0), last)).numpy()
    assert np.allclose(head, np.stack(bezier.part(list(points), 0.0, last)), atol=1e-9)
    assert np.array_equal(head[0], points[0])
