"""Where fresh strokes go, and how they follow the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semantic_guidance.agents.placing import Structure, pick_places, strokes_at, structure
from semantic_guidance.images.arrays import to_tensor


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def field_of(x: np.ndarray, y: np.ndarray, coherence: float = 1.0) -> Structure:
    """A direction field along (x, y) ``[H, W]``, of one colour."""
    direction = np.stack([x, y], axis=-1) / np.hypot(x, y)[..., None]
    shape = direction.shape[:2]
    grey = np.full((*shape, 3), 0.5, np.float32)
    return Structure(grey, direction.astype(np.float32), np.full(shape, coherence, np.float32))


def curves(places: list[tuple[int, int]], radius: float, field: Structure) -> torch.Tensor:
    """Start, control and end points in pixels, ``[N, 3, 2]``."""
    size = max(field.coherence.shape)
    return strokes_at(np.array(places), radius, field, rng(), size).points[0] * size


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 120, 150])
def test_the_direction_of_stripes(degrees: int) -> None:
    angle = np.radians(degrees)
    rows, columns = np.mgrid[:64, :64]
    across = -columns * np.sin(angle) + rows * np.cos(angle)
    stripes = np.repeat((0.5 + 0.5 * np.sin(across / 2))[..., None], 3, axis=-1).astype(np.float32)
    field = structure(to_tensor(stripes), 3)
    inner = field.direction[16:48, 16:48]
    along = abs(inner @ np.array([np.cos(angle), np.sin(angle)]))
    assert along.min() > 0.99
    assert field.coherence[16:48, 16:48].min() > 0.9


def test_no_direction_without_structure() -> None:
    field = structure(torch.full((3, 20, 20), 0.3), 3)
    assert field.coherence.max() < 0.01
    assert np.allclose(field.color, 0.3, atol=1e-5)


def test_places_are_where_the_error_is_and_keep_apart() -> None:
    error = torch.zeros(40, 60)
    error[8:12, 8:12] = 1
    error[28:32, 48:52] = 0.9
    places = pick_places(error, 2, 4, rng())
    assert np.abs(places - [[9.5, 9.5], [29.5, 49.5]]).max() < 2


def test_strokes_pass_through_their_places_along_the_structure() -> None:
    rows, _ = np.mgrid[:50, :80]
    target = np.repeat((rows > 25)[..., None], 3, axis=-1).astype(np.float32)
    places = np.array([[25, 30], [25, 60]])
    strokes = strokes_at(places, 3.0, structure(to_tensor(target), 3), rng(), 80)
    start, control, end = (strokes.points[0] * 80).unbind(1)
    middle = 0.25 * start + 0.5 * control + 0.25 * end
    assert torch.allclose(middle, torch.tensor([[30.5, 25.5], [60.5, 25.5]]), atol=1e-3)
    assert (abs(end - start)[:, 0] > 10 * abs(end - start)[:, 1]).all()


def test_strokes_bend_along_a_curved_field() -> None:
    """Round a centre, which straight strokes would leave: three steps do so by a third of that."""
    rows, columns = np.mgrid[:120, :160] + 0.5
    x, y = columns - 90, rows - 50
    places = [(50, 120), (20, 90), (90, 70), (71, 111)]
    for start, control, end in curves(places, 5.0, field_of(-y, x)) - torch.tensor([90, 50]):
        middle = 0.25 * start + 0.5 * control + 0.25 * end
        length = float((end - start).norm())
        assert length > 20
        straight = float((middle.norm() ** 2 + (length / 2) ** 2).sqrt())
        for tip in (start, end):
            assert abs(float(tip.norm() - middle.norm())) < 0.45 * (straight - float(middle.norm()))


def test_a_tangent_never_reverses() -> None:
    """A direction has no sense: with half of the field turned round, strokes are as straight as before."""
    flip = np.where(rng().random((60, 90)) < 0.5, -1.0, 1.0)
    plain = curves([(30, 45), (20, 30)], 4.0, field_of(np.ones((60, 90)), 0.5 * np.ones((60, 90))))
    turned = curves([(30, 45), (20, 30)], 4.0, field_of(flip, 0.5 * flip))
    length = (plain[:, 2] - plain[:, 0]).norm(dim=1)
    assert (length > 15).all()
    assert torch.allclose((turned[:, 2] - turned[:, 0]).norm(dim=1), length, rtol=1e-3)


def test_far_ends_follow_the_field_there() -> None:
    """Level on the left and upright on the right: what begins level at the border turns at its right end."""
    columns = np.mgrid[:60, :110][1]
    field = field_of(1.0 * (columns < 81), 1.0 * (columns >= 81))
    left, _, right = sorted(curves([(40, 78)], 6.0, field)[0].tolist())
    assert left[1] == pytest.approx(40.5, abs=1e-3)
    assert abs(right[1] - 40.5) > 4
    assert right[0] - 78.5 < 0.75 * (78.5 - left[0])


def test_strokes_are_as_long_as_the_structure_is_clear() -> None:
    """From both ends, 0.8 to 3 radii each way by coherence, a fifth more or less by chance."""
    ones = np.ones((200, 200))
    for coherence, reach in ((0.2, 1.24), (0.5, 1.9), (1.0, 3.0)):
        points = curves([(100, 100)] * 50, 10.0, field_of(ones, 0 * ones, coherence))
        half = (points[:, 2] - points[:, 0]).norm(dim=1) / 20
        assert (half > 0.79 * reach).all()
        assert (half < 1.21 * reach).all()
        assert float(half.std()) > 0.05 * reach


def test_strokes_go_anywhere_without_structure() -> None:
    ones = np.ones((200, 200))
    points = curves([(100, 100)] * 60, 10.0, field_of(ones, 0 * ones, 0.1))
    across = points[:, 2] - points[:, 0]
    angles = torch.atan2(across[:, 1], across[:, 0]) % np.pi
    assert torch.histc(angles, 4, 0, np.pi).min() > 5


def test_strokes_have_the_colour_of_their_place() -> None:
    field = field_of(np.ones((30, 50)), np.zeros((30, 50)))
    field.color[5, 40], field.color[20, 10] = (1, 0, 0), (0, 0, 1)
    strokes = strokes_at(np.array([[5, 40], [20, 10]]), 3.0, field, rng(), 50)
    assert strokes.color[0].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert torch.allclose(strokes.radius, torch.tensor(3 / 50))


def test_equal_errors_are_not_taken_in_rows() -> None:
    """Ties are broken by chance, and no place is taken twice while there is error elsewhere."""
    places = pick_places(torch.ones(40, 60), 12, 6.0, rng())
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1)) + 99 * np.eye(12)
    assert apart.min() > 6
    assert not np.array_equal(places, pick_places(torch.ones(40, 60), 12, 6.0, np.random.default_rng(1)))
