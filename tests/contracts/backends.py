"""The renderers that go through the same tests, and strokes for them."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from semantic_guidance.core.plugins import BACKENDS
from semantic_guidance.core.strokes import POINTS, RADIUS
from semantic_guidance.renderer.backends.base import AutogradBackend, Backend, Task, load_backend
from semantic_guidance.renderer.backends.neural import NeuralBackend, NeuralRenderer

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


class Stranger(AutogradBackend):
    """A renderer of which only `render` is its own: the rest comes from automatic differentiation."""

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        return device.type == "cpu" and dtype == torch.float32

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        return load_backend("cpu", canvas.device, canvas.dtype).render(strokes, canvas, mask, softness)


class Elsewhere(AutogradBackend):
    """A renderer of another device, which is given and gives tensors of the processor's memory."""

    def __init__(self, backend: Backend, device: torch.device) -> None:
        self.backend, self.device = backend, device

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        return device.type == "cpu" and self.backend.supports(self.device, dtype)

    def there(self, wanted: Task) -> Task:
        planes = (wanted.masks, wanted.blank, wanted.target, wanted.weight)
        return Task(wanted.segments, *(plane.to(self.device) for plane in planes))

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        under = None if mask is None else mask.to(self.device)
        return self.backend.render(strokes.to(self.device), canvas.to(self.device), under, softness).cpu()

    def objective(self, strokes: Tensor, wanted: Task, softness: float) -> tuple[float, Tensor]:
        error, gradient = self.backend.objective(strokes.to(self.device), self.there(wanted), softness)
        return error, gradient.cpu()

    def removal_costs(self, strokes: Tensor, wanted: Task, softness: float) -> tuple[Tensor, Tensor]:
        costs, canvas = self.backend.removal_costs(strokes.to(self.device), self.there(wanted), softness)
        return costs.cpu(), canvas.cpu()


@functools.cache
def neural() -> NeuralBackend:
    """The papers' renderer, untrained."""
    torch.manual_seed(0)
    return NeuralBackend(NeuralRenderer().requires_grad_(False))


MAKERS: dict[str, Callable[[], Backend]] = {
    **{name: functools.partial(BACKENDS.get, name) for name in BACKENDS.names()},
    "stranger": lambda: Stranger,
}
EXACT = tuple(MAKERS)
"""Those that render strokes as they are defined; the papers' network has learned its own ones."""

EVERY = (*EXACT, "neural")


def backend_of(name: str) -> Backend:
    """The backend, unless the machine has not what it needs."""
    if name == "neural":
        return neural()
    made: Backend = MAKERS[name]()()
    if not made.supports(CPU, torch.float32):
        if not torch.cuda.is_available() or not made.supports(CUDA, torch.float32):
            pytest.skip(f"{name} needs a package or a device that is not there")
        made = Elsewhere(made, CUDA)
    return made


def numbers(generator: torch.Generator) -> Callable[..., Tensor]:
    return functools.partial(torch.rand, generator=generator)


def packed(random: Callable[..., Tensor], batch: int, count: int) -> Tensor:
    """Strokes ``[batch, count, 13]``, some of them beyond the canvas."""
    vectors = random(batch, count, 13)
    vectors[..., POINTS] = vectors[..., POINTS] * 1.3 - 0.15
    vectors[..., RADIUS] *= 0.2
    return vectors


def assert_close(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        # Single precision: the direction from a disc's centre to a pixel close to it is uncertain.
        assert torch.allclose(one, other, atol=2e-4 * max(1e-2, float(other.abs().max())))
