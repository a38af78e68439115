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
from semantic_guidance.renderer.backends.base import (
    AutogradBackend,
    Task,
    first_order,
    is_tracked,
    mask_gradient,
)
from semantic_guidance.renderer.backends.cpu import bands
from semantic_guidance.renderer.backends.cpu.bands import Shape, Tape
from semantic_guidance.renderer.backends.cpu.layout import GRADIENT, REMOVAL
from semantic_guidance.renderer.backends.cpu.native import entry
from semantic_guidance.renderer.backends.cpu.pool import (
    NOTHING,
    POOL,
    SMALL,
    Floats,
    Memory,
    arguments,
    memory,
)
from semantic_guidance.renderer.backends.cpu.threads import Threads, renderer_threads, set_threads
from semantic_guidance.renderer.backends.reference import ReferenceBackend
from semantic_guidance.renderer.definition import ENDS

T = TypeVar("T")


def _flat(values: Tensor) -> Memory:
    """A tensor's numbers."""
    own = values.detach().contiguous()
    if own.dtype != torch.float32:
        own = own.float()
    return Memory(own.data_ptr(), own.numel(), np.float32, own)


class _Render(torch.autograd.Function):
    """`bands.paint` and `bands.unpaint` as one differentiable operation."""

    @staticmethod
    def forward(ctx: Any, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        tape = Tape()
        painted, *ctx.kept = _painted(strokes, canvas, mask, softness, tape)
        ctx.tape = tape
        # Torch complains if one is changed in the meantime.
        ctx.save_for_backward(strokes, mask, canvas if ctx.needs_input_grad[2] else None)
        return painted

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        grad = slopes[0].detach()
        shape, packed, under, softness = ctx.kept
        strokes, mask, canvas = ctx.saved_tensors
        of_mask = None
        if canvas is not None:
            of_mask = mask_gradient(CpuBackend().render, (strokes, canvas, mask), softness, grad)
        below = grad.new_empty(grad.shape) if ctx.needs_input_grad[1] else None
        grads = np.zeros((shape.batch, shape.bands, shape.count, NUMBERS), np.float32)
        beneath = NOTHING if below is None else _flat(below)
        bands.unpaint(shape, packed, memory(grads), _flat(grad), beneath, under, softness, ctx.tape)
        made_of = (strokes, canvas, mask, slopes[0])
        return *first_order([torch.from_numpy(grads.sum(axis=1)), below, of_mask], *made_of), None


def _painted(
    strokes: Tensor,
    canvas: Tensor,
    mask: Tensor | None,
    softness: float,
    tape: Tape | None,
    ends: str = "round",
) -> tuple[Tensor, Shape, Memory, Memory, float]:
    """The painted canvas, and what it was made of."""
    batch, _, height, wide = canvas.shape
    shape = Shape(batch, strokes.shape[1], height, wide)
    packed, under = _flat(strokes), NOTHING if mask is None else _flat(mask)
    painted = torch.empty(canvas.shape, dtype=torch.float32, device="cpu")
    bands.paint(shape, packed, _flat(canvas), _flat(painted), under, softness, tape, ENDS.index(ends))
    return painted, shape, packed, under, softness


class CpuBackend(AutogradBackend):
    """Each operation has its own kernel; results are bit-equal for any number of threads."""

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        """See `Backend`."""
        return device.type == "cpu" and dtype == torch.float32 and entry() is not None

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        """See `Backend`."""
        if not is_tracked(strokes, canvas, mask):
            return _painted(strokes, canvas, mask, softness, None)[0]
        painted: Tensor = _Render.apply(strokes, canvas, mask, softness)
        return painted

    def render_ends(
        self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float, ends: str
    ) -> Tensor:
        """See `Backend`. Gradients are those of the reference, which renders where they are wanted."""
        if is_tracked(strokes, canvas, mask):
            return ReferenceBackend().render_ends(strokes, canvas, mask, softness, ends)
        return _painted(strokes, canvas, mask, softness, None, ends)[0]

    def objective(self, strokes: Tensor, task: Task, softness: float) -> tuple[float, Tensor]:
        """See `Backend`."""
        errors, grads, _ = _walk(GRADIENT, strokes, task, softness)
        return float(errors.sum()), torch.from_numpy(grads.sum(axis=0))

    def removal_costs(self, strokes: Tensor, task: Task, softness: float) -> tuple[Tensor, Tensor]:
        """See `Backend`."""
        _, costs, canvas = _walk(REMOVAL, strokes, task, softness)
        return torch.from_numpy(costs.sum(axis=0)), canvas

    def warm_up(self) -> None:
        """Load the kernels."""
        entry()

    def threads(self, count: int) -> AbstractContextManager[None]:
        """See `Backend`."""
        return renderer_threads(count)

    def settle(self, count: int) -> None:
        """See `Backend`."""
        set_threads(count)

    def steady(self) -> Callable[[Callable[[], T]], T]:
        """See `Backend`."""
        return Threads()


def _walk(
    mode: int, strokes: Tensor, task: Task, softness: float
) -> tuple[NDArray[np.float64], Floats, Tensor]:
    """`kernels.entries.objective` for all bands: errors, ``[bands, N, 13]`` or ``[bands, N]``, the canvas."""
    task.check_count(strokes)
    _, height, wide = task.target.shape
    shape = Shape(1, len(strokes), height, wide)
    weights = np.array([segment.weight for segment in task.segments], np.float32)
    errors = np.zeros(shape.bands)
    numbers = (NUMBERS,) if mode == GRADIENT else ()
    out = np.zeros((shape.bands, shape.count, *numbers), np.float32)
    canvas = task.target.new_empty((3, height, wide) if mode == REMOVAL else 0)
    stored = int((weights > 0).sum()) if mode == GRADIENT else 1
    arrays = {
        "strokes": _flat(strokes),
        "ends": memory(np.cumsum([segment.count for segment in task.segments], dtype=np.int64)),
        "chosen": memory(
            np.array([-1 if part.mask is None else part.mask for part in task.segments], np.int64)
        ),
        "masks": _flat(task.masks),
        "weights": memory(weights),
        "source": _flat(task.blank),
        "target": _flat(task.target),
        "weight": _flat(task.shares / 3),  # so that a sum is a mean over pixels and RGB
        "out": memory(out),
        "errors": memory(errors),
        "canvas": _flat(canvas),
    }
    head = arguments("objective", **shape.numbers, mode=mode, softness=softness, **arrays)

    def walk(first: int, step: int) -> None:
        own = POOL.scratch(wide).room(shape.floats, stored * shape.floats, SMALL)
        while first < shape.bands:
            first = own.call("objective", [first, step, *head[2:]])
            if first < shape.bands:
                own.room(0, 0, max(2 * own.chunk.size, 2 * int(own.arrays["state"][3])))

    shape.run(walk)
    return errors, out, canvas
