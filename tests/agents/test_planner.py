import numpy as np
import pytest
import torch

from semantic_guidance.agents.placing import pick_places, strokes_at, structure
from semantic_guidance.agents.planner import plan
from semantic_guidance.core.strokes import POINTS, RADIUS
from semantic_guidance.images.arrays import to_tensor


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


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


def test_a_plan_lowers_the_error_and_goes_from_coarse_to_fine() -> None:
    rows, columns = torch.meshgrid(torch.arange(60) / 60, torch.arange(90) / 60, indexing="ij")
    target = torch.stack([torch.sin(4 * rows) ** 2, torch.cos(3 * columns) ** 2, rows * columns])
    blank = torch.full_like(target, 0.5)
    strokes, canvas = plan(target, torch.ones(60, 90), 100, blank, None, rng())
    assert len(strokes) == 100
    assert ((canvas - target) ** 2).mean() < 0.3 * ((blank - target) ** 2).mean()
    radii = strokes[:, RADIUS.start]
    assert (radii.diff() <= 0).all()
    assert radii[0] > 4 * radii[-1]


def test_a_plan_under_a_mask_stays_there() -> None:
    target = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(40, 40)
    mask[10:25, 12:30] = 1
    strokes, canvas = plan(target, mask, 30, torch.zeros_like(target), mask, rng())
    assert (canvas[:, mask == 0] == 0).all()
    start, control, end = strokes[:, POINTS].unflatten(1, (3, 2)).unbind(1)
    centres = (start + 2 * control + end) / 4 * 40
    assert (mask[centres[:, 1].long(), centres[:, 0].long()] == 1).all()


def test_no_strokes() -> None:
    blank = torch.zeros(3, 8, 8)
    strokes, canvas = plan(blank, blank[0], 0, blank, None, rng())
    assert len(strokes) == 0
    assert (canvas == blank).all()
