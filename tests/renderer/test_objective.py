"""The objective in one pass, against the same written with `render` and automatic differentiation."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.core.errors import NotFiniteError
from semantic_guidance.renderer.backends.base import one_thread
from semantic_guidance.renderer.backends.cpu.backend import CpuBackend
from semantic_guidance.renderer.backends.cpu.pool import POOL
from semantic_guidance.renderer.objective import Objective, Segment, ZoomedObjective

SEGMENTS = (Segment(6, None, 0.1), Segment(5, 0, 0.0), Segment(7, None, 0.3), Segment(6, 1, 1.0))


def case(seed: int = 0) -> tuple[Tensor, Objective]:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    vectors = random(24, 13)
    vectors[:, 6:8] *= 0.2
    return vectors, Objective(
        SEGMENTS, random(2, 40, 60), random(3, 40, 60), random(3, 40, 60), random(40, 60)
    )


def plainly(vectors: Tensor, objective: Objective, softness: float) -> tuple[Tensor, Tensor]:
    """Objective and error of the finished canvas."""
    canvas, at, total = objective.blank[None], 0, torch.zeros(())
    weight = objective.weight / objective.weight.mean()
    for segment in objective.segments:
        mask = None if segment.mask is None else objective.masks[None, segment.mask : segment.mask + 1]
        canvas = render(Strokes.unpack(vectors[None, at : at + segment.count]), canvas, mask, softness)
        at += segment.count
        error = (weight * (canvas[0] - objective.target) ** 2).mean()
        total = total + segment.weight * error
    return total, error


def test_value_and_gradient() -> None:
    vectors, objective = case()
    value, gradient = objective.gradient(vectors, 1.5)
    tracked = vectors.clone().requires_grad_()
    expected, _ = plainly(tracked, objective, 1.5)
    (by_autograd,) = torch.autograd.grad(expected, tracked)
    assert abs(value - expected.item()) < 1e-6
    assert torch.allclose(gradient, by_autograd, atol=1e-6)


def test_the_cost_of_removing_a_stroke_is_exact() -> None:
    vectors, objective = case(1)
    costs, canvas = objective.removal_costs(vectors, 1.0)
    _, error = plainly(vectors, objective, 1.0)
    assert abs(objective.error_map(canvas).sum().item() - error.item()) < 1e-6
    for n in range(len(vectors)):
        without = vectors.clone()
        without[n, 8:10] = 0  # nothing is left of a stroke without opacity
        _, left = plainly(without, objective, 1.0)
        assert abs(costs[n].item() - (left - error).item()) < 1e-6


def test_what_is_painted_is_the_canvas_after_the_last_segment() -> None:
    vectors, objective = case(1)
    canvas = objective.painted(vectors)
    assert torch.allclose(canvas, objective.removal_costs(vectors, 1.0)[1], atol=1e-6)
    assert not torch.allclose(canvas, objective.blank, atol=0.1)
    again = replace(objective, blank=replace(objective, segments=SEGMENTS[:3]).painted(vectors[:18]))
    assert torch.equal(replace(again, segments=SEGMENTS[3:]).painted(vectors[18:]), canvas)
    with pytest.raises(ValueError, match="23"):
        objective.painted(vectors[1:])


def test_a_view_is_the_picture_enlarged() -> None:
    """Strokes painted in the view are the whole painting's, cut out at twice the size."""
    vectors, _ = case(2)
    whole = render(Strokes.unpack(vectors[None]), torch.zeros(1, 3, 80, 80))[0, :, 20:60, 40:80]
    scale = torch.tensor([2.0] * 8 + [1.0] * 5)
    shift = torch.tensor([-1.0, -0.5] * 3 + [0.0] * 7)
    blank = torch.zeros(3, 40, 40)
    flat = Objective((Segment(24, None, 1.0),), torch.empty(0, 40, 40), blank, whole, torch.ones(40, 40))
    view = ZoomedObjective(flat, scale, shift, 3.0)
    assert view.gradient(vectors, 1.0)[0] < 1e-9

    moved = vectors.clone()
    moved[3, :8] += 0.05
    value, gradient = view.gradient(moved, 1.0)
    tracked = moved.clone().requires_grad_()
    painted = render(Strokes.unpack(tracked[None]), torch.zeros(1, 3, 80, 80))[0, :, 20:60, 40:80]
    expected = 3 * ((painted - whole) ** 2).mean()
    (by_autograd,) = torch.autograd.grad(expected, tracked)
    assert abs(value - expected.item()) < 1e-6
    assert torch.allclose(gradient, by_autograd, atol=1e-5)


def test_strokes_that_are_no_numbers_are_refused() -> None:
    vectors, objective = case()
    vectors[3, 0] = torch.nan
    for method in (objective.gradient, objective.removal_costs):
        with pytest.raises(NotFiniteError, match="stroke 3"):
            method(vectors, 1.0)
    with pytest.raises(NotFiniteError, match="stroke 3"):
        objective.painted(vectors)


@pytest.mark.usefixtures("two_threads")
def test_the_number_of_threads_changes_no_bit() -> None:
    vectors, objective = case(3)
    results = []
    for threads in (2, 1):
        POOL.count = threads
        value, gradient = objective.gradient(vectors, 1.5)
        results.append((value, gradient, *objective.removal_costs(vectors, 1.0)))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(two, one) for two, one in zip(results[0][1:], results[1][1:], strict=True))


@pytest.mark.usefixtures("two_threads")
def test_one_thread_is_for_the_block_alone():
    torch.set_num_threads(2)
    before = torch.get_num_threads(), POOL.count

    def fail() -> None:
        with one_thread(CpuBackend()):
            assert (torch.get_num_threads(), POOL.count) == (1, 1)
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert (torch.get_num_threads(), POOL.count) == before == (2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segments": ()}, "the last segment has no weight"),
        ({"segments": (Segment(6, None, 1.0), Segment(6, 0))}, "the last segment has no weight"),
        ({"segments": (Segment(12, 5, 1.0),)}, "mask of a segment is 5, wanted less than"),
        ({"segments": (Segment(12, -1, 1.0),)}, "mask of a segment is -1"),
        (
            {"segments": (Segment(12, None, -1.0), Segment(0, None, 1.0))},
            "wanted count and weight of",
        ),
        (
            {"segments": (Segment(-2, None, 1.0), Segment(14, None, 1.0))},
            "wanted count and weight of",
        ),
        ({"weight": torch.full((20, 30), -1.0)}, "weight has numbers below 0"),
        ({"weight": torch.ones(20, 29)}, r"weight has shape \[20, 29\]"),
        ({"masks": torch.ones(2, 19, 30)}, r"masks has shape"),
        ({"blank": torch.ones(1, 20, 30)}, r"blank has shape"),
        ({"target": torch.ones(4, 20, 30)}, r"target has shape"),
    ],
)
def test_tasks_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    planes = {
        "masks": torch.ones(2, 20, 30),
        "blank": torch.zeros(3, 20, 30),
        "target": torch.ones(3, 20, 30),
    }
    whole = {"segments": (Segment(12, None, 1.0),), **planes, "weight": torch.ones(20, 30)}
    Objective(**whole)
    with pytest.raises(ValueError, match=message):
        Objective(**(whole | change))


def test_another_number_of_strokes_is_refused() -> None:
    vectors, objective = case()
    for method in (objective.gradient, objective.removal_costs):
        with pytest.raises(ValueError, match=f"there are {len(vectors) - 1} strokes, wanted the segments'"):
            method(vectors[1:], 1.0)


def test_no_strokes() -> None:
    planes = torch.empty(0, 20, 30), torch.zeros(3, 20, 30), torch.ones(3, 20, 30), torch.ones(20, 30)
    objective = Objective((Segment(0, None, 1.0),), *planes)
    value, gradient = objective.gradient(torch.empty(0, 13), 1.0)
    costs, canvas = objective.removal_costs(torch.empty(0, 13), 1.0)
    assert value == pytest.approx(1.0)
    assert gradient.shape == (0, 13)
    assert costs.shape == (0,)
    assert torch.equal(canvas, planes[1])


def test_it_is_the_same_for_any_number_of_torchs_threads() -> None:
    """Weights of so many pixels are summed by several threads, each a part."""
    generator = torch.Generator().manual_seed(3)
    vectors, small = case()
    masks, blank, target = (
        torch.rand(count, 300, 450, generator=generator, dtype=torch.float32) for count in (2, 3, 3)
    )
    weight = 10 * torch.rand(300, 450, generator=generator, dtype=torch.float32) ** 3
    objective = Objective(small.segments, masks, blank, target, weight)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            costs = objective.removal_costs(vectors, 1.0)[0]
            found.append((objective.gradient(vectors, 1.0)[1], costs, objective.error_map(blank)))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(one, same) for one, same in zip(found[0], other, strict=True))
