from dataclasses import replace

import torch
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.renderer.objective import Objective, Segment

STILL = RefineConfig(steps=150, relocate_at=())


def paint(vectors: Tensor, size: int = 64) -> Tensor:
    return render(Strokes.unpack(vectors[None]), torch.full((1, 3, size, size), 0.5))[0]


def objective_for(target: Tensor, count: int, **changes: object) -> Objective:
    size = target.shape[-1]
    plain = Objective(
        (Segment(count, None, 1.0),),
        torch.empty(0, size, size),
        torch.full((3, size, size), 0.5),
        target,
        torch.ones(size, size),
    )
    return replace(plain, **changes)


KNOWN = torch.tensor([[0.2, 0.3, 0.5, 0.2, 0.8, 0.5, 0.08, 0.05, 1.0, 0.8, 0.9, 0.2, 0.1]])


def test_a_stroke_finds_the_stroke_that_was_painted() -> None:
    """A toy problem with a known optimum."""
    start = KNOWN + torch.tensor([[0.04] * 6 + [0.02, 0.02, -0.3, -0.2, -0.3, 0.3, 0.3]])
    objective = objective_for(paint(KNOWN), 1)
    found = Refiner(start, objective, STILL).run()
    before, _ = objective.gradient(start, 1.0)
    after, _ = objective.gradient(found, 1.0)
    assert after < before / 1000
    assert torch.allclose(found[:, :8], KNOWN[:, :8], atol=0.01)
    assert torch.allclose(found[:, 10:], KNOWN[:, 10:], atol=0.05)


def test_a_hidden_stroke_is_moved_to_where_the_error_is() -> None:
    spot = torch.tensor([[0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.07, 0.07, 1, 1, 0.0, 0.0, 1.0]])
    hidden = torch.tensor([[0.3, 0.3, 0.35, 0.3, 0.4, 0.3, 0.02, 0.02, 1, 1, 0.0, 1.0, 0.0]])
    target = paint(torch.cat([KNOWN, spot]))
    objective = objective_for(target, 2)
    start = torch.cat([hidden, KNOWN])
    config = replace(STILL, relocate_at=(0.1,), relocate_share=0.5)
    found = Refiner(start, objective, config).run()
    stuck = Refiner(start, objective, STILL).run()
    assert objective.gradient(found, 1.0)[0] < 0.1 * objective.gradient(stuck, 1.0)[0]
    assert torch.allclose(found[0, 10:], KNOWN[0, 10:], atol=0.1)  # the moved stroke is now on top
    assert (found[1, :6] - 0.85).abs().max() < 0.15


def test_weight_decides_where_the_error_is_left() -> None:
    """One stroke, two spots: it goes where the weight is."""
    left = torch.tensor([[0.25, 0.5] * 3 + [0.1, 0.1, 1, 1, 1, 1, 1]])
    right = torch.tensor([[0.75, 0.5] * 3 + [0.1, 0.1, 1, 1, 0, 0, 0]])
    target = paint(torch.cat([left, right]))
    start = torch.tensor([[0.5, 0.5] * 3 + [0.2, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5]])
    for side, spot in ((slice(0, 32), left), (slice(32, 64), right)):
        weight = torch.full((64, 64), 0.01)
        weight[:, side] = 1
        objective = objective_for(target, 1, weight=weight)
        found = Refiner(start, objective, replace(STILL, softness=(8.0, 1.0))).run()
        assert abs(paint(found)[0, :, side] - paint(spot)[0, :, side]).mean() < 0.03


def test_the_same_seed_gives_the_same_strokes() -> None:
    vectors = torch.rand(40, 13, generator=torch.Generator().manual_seed(0))
    vectors[:, 6:8] *= 0.1
    target = torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(1))
    config = RefineConfig(steps=30)
    first, again = (Refiner(vectors, objective_for(target, 40), config, seed=7).run() for _ in range(2))
    assert torch.equal(first, again)


def test_no_strokes() -> None:
    objective = objective_for(torch.zeros(3, 16, 16), 0)
    assert Refiner(torch.zeros(0, 13), objective, STILL).run().shape == (0, 13)
