"""What the kernels that ship work on: tapes, masks, numbers of all sizes, threads and forks."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.cpu.layout import KERNELS
from semantic_guidance.renderer.backends.cpu.pool import CHUNKS, POOL, Chunk, arguments, memory
from semantic_guidance.renderer.objective import Objective, Segment
from tests.renderer.gradients import gradient


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
@pytest.mark.usefixtures("two_threads")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_paints():
    before = gradient()
    child = os.fork()
    if child == 0:
        os._exit(0 if all(map(torch.equal, gradient(), before)) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert all(map(torch.equal, gradient(), before))


def test_a_tape_of_several_chunks_and_its_second_use(monkeypatch: pytest.MonkeyPatch):
    """Chunks are filled band after band, a stroke that fits nowhere gets a larger one; and they are kept."""
    vectors = torch.rand(1, 40, 13, generator=torch.Generator().manual_seed(1)).requires_grad_()

    def gradients() -> list[torch.Tensor]:
        canvas = torch.full((1, 3, 90, 130), 0.3, requires_grad=True)
        error = render(Strokes.unpack(vectors), canvas).square().sum()
        first = torch.autograd.grad(error, (vectors, canvas), retain_graph=True)
        again = torch.autograd.grad(error, (vectors, canvas))
        assert all(map(torch.equal, first, again))
        return list(first)

    wanted = gradients()
    for small, large in ((64, 64), (3000, 5000), (1, 20_000)):
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.bands.SMALL", small)
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.bands.LARGE", large)
        monkeypatch.setattr(CHUNKS, "_free", [])
        assert all(map(torch.equal, gradients(), wanted))
        CHUNKS.give([CHUNKS.take(1)])
        free = len(CHUNKS._free)
        assert free > 1
        assert all(map(torch.equal, gradients(), wanted))
        CHUNKS.give([CHUNKS.take(1)])
        assert free <= len(CHUNKS._free) < 1.1 * free  # some fit worse than others


class Fenced(Chunk):
    """A chunk with numbers behind each array that must not change."""

    FENCE = 4096

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.whole = {}
        for name, array in self.arrays.items():
            self.whole[name] = np.full(len(array) + self.FENCE, 77, array.dtype)
            self.arrays[name] = self.whole[name][: len(array)]
        self.block = [number for array in self.arrays.values() for number in memory(array)[:2]]

    @property
    def intact(self) -> bool:
        return all((array[-self.FENCE :] == 77).all() for array in self.whole.values())


@pytest.mark.parametrize("softness", [1.0, 2.0, 3.0, 30.0])
def test_the_tape_ends_where_it_ends(softness: float, monkeypatch: pytest.MonkeyPatch):
    """Cones are wider in a row than at either of their ends."""
    made: list[Fenced] = []

    def fenced(size: int) -> Fenced:
        made.append(Fenced(size))
        return made[-1]

    cpu = "semantic_guidance.renderer.backends.cpu"
    monkeypatch.setattr(f"{cpu}.pool.Chunk", fenced)
    monkeypatch.setattr(f"{cpu}.bands.SMALL", 1)  # so that each chunk is as long as the first stroke needs
    monkeypatch.setattr(f"{cpu}.bands.LARGE", 1)
    monkeypatch.setattr(CHUNKS, "_free", [])
    generator = torch.Generator().manual_seed(0)
    for height, width in ((64, 64), (8, 200), (41, 57), (1, 30)):
        vectors = torch.rand(1, 300, 13, generator=generator)
        vectors[..., 2:6] = vectors[..., :2].repeat(1, 1, 2) + 0.2 * (vectors[..., 2:6] - 0.5)
        vectors[..., 6:8] *= 0.15 * vectors[..., 6:8]
        vectors.requires_grad_()
        render(Strokes.unpack(vectors), torch.zeros(1, 3, height, width), softness=softness).sum().backward()
    CHUNKS.take(1)
    assert len(made) > 100
    assert all(chunk.intact for chunk in made)


@pytest.mark.parametrize("exponent", [3, 6, 8, 9, 12, 19, 25, 37, 38])
def test_strokes_that_are_far_away_or_giant(exponent: int):
    """Whatever overflows: nothing but these strokes' own numbers is lost."""
    far = 10.0**exponent
    canvas = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    for sign in ((1, 1), (1, 0), (-1, -1), (0, -1), (-1, 1)):
        vectors = torch.full((1, 3, 13), 0.4)
        vectors[0, 1, :6] = torch.tensor([sign[0] * far, sign[1] * far] * 3)
        vectors[0, 1, :2] = 0.5 if exponent % 2 else vectors[0, 1, 2:4]
        vectors.requires_grad_()
        painted = render(Strokes.unpack(vectors), canvas)
        painted.sum().backward()
        others = Strokes.unpack(vectors.detach()[:, [0, 2]])
        if exponent % 2 == 0:
            assert torch.equal(painted, render(others, canvas))
    vectors = torch.full((1, 1, 13), 0.4)
    vectors[..., 6:8] = far  # covers everything
    if exponent < 19:  # beyond, single precision has no squares of it
        assert torch.allclose(
            render(Strokes.unpack(vectors), canvas)[0, 0], canvas[0, 0] * 0.6 + 0.16, atol=1e-5
        )


def test_the_kind_of_number_that_torch_makes_by_default_does_not_matter():
    wanted = gradient()
    planes = torch.zeros(0, 20, 30), torch.zeros(3, 20, 30), torch.ones(3, 20, 30), torch.ones(20, 30)
    vectors, objective = torch.full((2, 13), 0.4), Objective((Segment(2, None, 1.0),), *planes)
    costs = objective.removal_costs(vectors, 1.0)
    canvas = torch.rand(1, 3, 20, 30).requires_grad_()
    below = torch.autograd.grad(render(Strokes.unpack(vectors[None]), canvas).sum(), canvas)
    torch.set_default_dtype(torch.float64)
    try:
        start = torch.zeros(1, 3, 190, 170, dtype=torch.float32)
        strokes = torch.rand(1, 60, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
        painted = render(Strokes.unpack(strokes.requires_grad_()), start)
        assert torch.equal(painted, wanted[0])
        assert torch.equal(*torch.autograd.grad(painted.square().sum(), strokes), wanted[1])
        assert all(map(torch.equal, objective.removal_costs(vectors, 1.0), costs))
        again = torch.autograd.grad(render(Strokes.unpack(vectors[None]), canvas).sum(), canvas)
        assert all(map(torch.equal, again, below))
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_mask_that_has_changed_is_noticed():
    vectors, mask = torch.full((1, 2, 13), 0.4, requires_grad=True), torch.rand(1, 1, 20, 20)
    painted = render(Strokes.unpack(vectors), torch.zeros(1, 3, 20, 20), mask)
    mask += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        painted.sum().backward()


def test_chunks_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.pool.KEPT", 100_000)
    monkeypatch.setattr(CHUNKS, "_free", [])
    CHUNKS.give([CHUNKS.take(size) for size in (10_000, 6_000, 100, 50_000)])
    assert CHUNKS.take(5_000).size == 6_000
    assert [chunk.size for chunk in CHUNKS._free] == [100, 10_000]


def test_arrays_of_another_kind_are_refused():
    wrong = memory(np.zeros(13))
    values = dict.fromkeys(KERNELS["yuv"].whole, 0)
    with pytest.raises(TypeError, match="yuv: canvas is float64, wanted float32"):
        arguments("yuv", **values, canvas=wrong, luma=wrong, blue=wrong, red=wrong)
    with pytest.raises(TypeError, match="gaps"):
        memory(np.zeros((4, 4))[:, ::2])


@pytest.mark.usefixtures("two_threads")
def test_where_no_thread_can_start_the_caller_does_it_all():
    done = []
    POOL._helpers.shutdown()
    POOL.run(lambda first, step: done.append((first, step)), 8)
    assert done == [(0, 2), (1, 2)]


@pytest.mark.usefixtures("two_threads")
def test_what_fails_on_another_thread_is_told():
    done = []

    def work(first: int, step: int) -> None:
        if first == 1:
            raise KeyError(step)
        done.append(first)

    with pytest.raises(KeyError, match="2"):
        POOL.run(work, 8)
    assert done == [0]
