import numpy as np
import pytest
import torch

from semantic_guidance.planner import pick_places, plan, strokes_at, structure


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 120, 150])
def test_the_direction_of_stripes(degrees: int) -> None:
    angle = np.radians(degrees)
    rows, columns = np.mgrid[:64, :64]
    across = -columns * np.sin(angle) + rows * np.cos(angle)
    stripes = np.repeat((0.5 + 0.5 * np.sin(across / 2))[..., None], 3, axis=-1).astype(np.float32)
    field = structure(stripes, 3)
    inner = field.direction[16:48, 16:48]
    along = abs(inner @ np.array([np.cos(angle), np.sin(angle)]))
    assert along.min() > 0.99
    assert field.coherence[16:48, 16:48].min() > 0.9


def test_no_direction_without_structure() -> None:
    field = structure(np.full((20, 20, 3), 0.3, np.float32), 3)
    assert field.coherence.max() < 0.01
    assert np.allclose(field.color, 0.3, atol=1e-5)


def test_places_are_where_the_error_is_and_keep_apart() -> None:
    error = np.zeros((40, 60), np.float32)
    error[8:12, 8:12] = 1
    error[28:32, 48:52] = 0.9
    places = pick_places(error, 2, 4, rng())
    assert np.abs(places - [[9.5, 9.5], [29.5, 49.5]]).max() < 2


def test_strokes_pass_through_their_places_along_the_structure() -> None:
    rows, _ = np.mgrid[:50, :80]
    target = np.repeat((rows > 25)[..., None], 3, axis=-1).astype(np.float32)
    places = np.array([[25, 30], [25, 60]])
    strokes = strokes_at(places, 3.0, structure(target, 3), rng(), 80)
    start, control, end = (strokes.points[0] * 80).unbind(1)
    middle = 0.25 * start + 0.5 * control + 0.25 * end
    assert torch.allclose(middle, torch.tensor([[30.5, 25.5], [60.5, 25.5]]), atol=1e-3)
    assert (abs(end - start)[:, 0] > 10 * abs(end - start)[:, 1]).all()


def test_a_plan_lowers_the_error_and_goes_from_coarse_to_fine() -> None:
    rows, columns = np.mgrid[:60, :90] / 60
    target = np.stack([np.sin(4 * rows) ** 2, np.cos(3 * columns) ** 2, rows * columns], -1).astype(
        np.float32
    )
    blank = np.full_like(target, 0.5)
    strokes, canvas = plan(target, np.ones((60, 90), np.float32), 100, blank, None, rng())
    assert len(strokes) == 100
    assert ((canvas - target) ** 2).mean() < 0.3 * ((blank - target) ** 2).mean()
    radii = strokes.radius[0, :, 0]
    assert (radii.diff() <= 0).all()
    assert radii[0] > 4 * radii[-1]


def test_a_plan_under_a_mask_stays_there() -> None:
    target = np.random.default_rng(1).random((40, 40, 3), dtype=np.float32)
    mask = np.zeros((40, 40), np.float32)
    mask[10:25, 12:30] = 1
    blank = np.zeros_like(target)
    strokes, canvas = plan(target, mask, 30, blank, mask, rng())
    assert (canvas[mask == 0] == 0).all()
    centres = (strokes.points[0, :, 0] + 2 * strokes.points[0, :, 1] + strokes.points[0, :, 2]) / 4 * 40
    assert (mask[centres[:, 1].long(), centres[:, 0].long()] == 1).all()


def test_no_strokes() -> None:
    blank = np.zeros((8, 8, 3), np.float32)
    strokes, canvas = plan(blank, blank[..., 0], 0, blank, None, rng())
    assert len(strokes) == 0
    assert (canvas == blank).all()
