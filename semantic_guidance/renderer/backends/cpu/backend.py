"""The compiled kernels as a backend (CPU, float32)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.renderer.backends.base import AutogradBackend, Segment, Task
from semantic_guidance.renderer.backends.cpu import geometry, kernel, objective
from semantic_guidance.renderer.backends.cpu.threads import Threads, renderer_threads, set_threads

T = TypeVar("T")


class _Render(torch.autograd.Function):
    """`kernel.paint` and `kernel.unpaint` as one differentiable operation."""

    @staticmethod
    def forward(
        ctx: Any, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float, keep: bool
    ) -> Tensor:
        batch, _, height, width = canvas.shape
        packed = strokes.detach().contiguous().numpy()
        painted = canvas.detach().clone(memory_format=torch.contiguous_format)
        nothing = torch.zeros(batch, 0, 0)
        under = nothing if mask is None else mask.detach()[:, 0].float().contiguous()
        bands = geometry.band_count(batch, height)
        saved, starts = geometry.NO_TAPE, geometry.NO_STARTS
        if keep:
            starts = kernel.count_pixels(packed, height, width, softness, bands)
            saved = torch.empty(geometry.SAVED, int(starts[-1])).numpy()
            ctx.tape = (packed, under.numpy(), softness, bands, saved, starts)
        kernel.paint(packed, painted.numpy(), under.numpy(), softness, bands, saved, starts, keep)
        return painted

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_canvas = grad.clone(memory_format=torch.contiguous_format)
        grads = kernel.unpaint(*ctx.tape, grad_canvas.numpy())
        return torch.from_numpy(grads.sum(axis=1)), grad_canvas, None, None, None


class CpuBackend(AutogradBackend):
    """Each operation has its own kernel; results are bit-equal for any number of threads."""

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        """See `Backend`."""
        return device.type == "cpu" and dtype == torch.float32

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        """See `Backend`."""
        keep = torch.is_grad_enabled() and (strokes.requires_grad or canvas.requires_grad)
        painted: Tensor = _Render.apply(strokes, canvas, mask, softness, keep)
        return painted

    def objective(self, strokes: Tensor, task: Task, softness: float) -> tuple[float, Tensor]:
        """See `Backend`."""
        segments, masks, blank, target, weight, bands = _arrays(task)
        weights = np.array([segment.weight for segment in task.segments], np.float32)
        totals, grads = objective.objective(
            strokes.numpy(), *segments, masks, weights, blank, target, weight, softness, bands
        )
        return float(totals.sum()), torch.from_numpy(grads.sum(axis=0))

    def removal_costs(self, strokes: Tensor, task: Task, softness: float) -> tuple[Tensor, Tensor]:
        """See `Backend`."""
        segments, masks, blank, target, weight, bands = _arrays(task)
        canvas, costs = objective.removal_costs(
            strokes.numpy(), *segments, masks, blank, target, weight, softness, bands
        )
        return torch.from_numpy(costs.sum(axis=0)), torch.from_numpy(canvas)

    def warm_up(self) -> None:
        """Compile the kernels, or read them from the cache on disk."""
        grey = torch.full((3, 8, 8), 0.5)
        stroke = torch.full((1, NUMBERS), 0.5)
        task = Task((Segment(1, None, 1.0),), torch.empty(0, 8, 8), grey, grey, torch.ones(8, 8))
        self.render(stroke[None], grey[None], None, 1.0)
        self.objective(stroke, task, 1.0)
        self.removal_costs(stroke, task, 1.0)

    def threads(self, count: int) -> AbstractContextManager[None]:
        """See `Backend`."""
        return renderer_threads(count)

    def settle(self, count: int) -> None:
        """See `Backend`. The threads start with the first kernel, and set torch's number as they do."""
        self.warm_up()
        set_threads(count)

    def steady(self) -> Callable[[Callable[[], T]], T]:
        """See `Backend`."""
        return Threads()


def _arrays(task: Task) -> tuple[Any, ...]:
    """The kernels' arguments; the weight is scaled so that a sum is a mean over pixels and RGB."""
    ends = np.cumsum([segment.count for segment in task.segments])
    chosen = np.array([-1 if segment.mask is None else segment.mask for segment in task.segments])
    weight: NDArray[np.float32] = (task.weight / task.weight.sum() / 3).numpy()
    bands = geometry.band_count(1, task.target.shape[1])
    arrays = (task.masks.numpy(), task.blank.numpy(), task.target.numpy(), weight)
    return (ends, chosen), *arrays, bands
