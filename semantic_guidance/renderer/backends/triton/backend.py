"""The kernels as a backend (CUDA, float32; any device in Triton's interpreter)."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor

from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.renderer.backends.base import (
    AutogradBackend,
    Segment,
    Task,
    first_order,
    mask_gradient,
)

SWITCH = "TRITON_INTERPRET"
"""Environment variable that, set to 1 before Triton is imported, runs kernels in its interpreter."""


class _Render(torch.autograd.Function):
    """`operations.painted` and `operations.gradients` as one differentiable operation."""

    @staticmethod
    def forward(ctx: Any, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        from semantic_guidance.renderer.backends.triton import operations

        batch, count = strokes.shape[:2]
        vectors = strokes.detach().float().flatten(0, 1).contiguous()
        before = canvas.detach().float().contiguous()
        pictures = torch.arange(batch, device=before.device)
        bounds = torch.stack([pictures * count, (pictures + 1) * count], dim=1)
        picture = pictures.repeat_interleave(count)
        under = before.new_empty(0) if mask is None else mask.detach()[:, 0].float().contiguous()
        grid = operations.grid_of(before)
        scene = operations.Scene.of(vectors, picture, bounds, picture.int(), under, grid, softness)
        ctx.scene = scene
        ctx.save_for_backward(strokes, canvas, mask)  # torch complains if one is changed in the meantime
        with _on(before.device):
            return operations.painted(scene, before)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        from semantic_guidance.renderer.backends.triton import operations

        strokes, canvas, mask = ctx.saved_tensors
        before, grad = canvas.detach().float().contiguous(), slopes[0].detach().contiguous()
        of_mask = None
        if ctx.needs_input_grad[2]:
            inputs = (strokes, before, mask)
            of_mask = mask_gradient(TritonBackend().render, inputs, ctx.scene.softness, grad)
        with _on(before.device):
            of_strokes, of_canvas = operations.gradients(ctx.scene, before, grad)
        gradients = [of_strokes.view(strokes.shape), of_canvas, of_mask]
        return *first_order(gradients, strokes, canvas, mask, slopes[0]), None


class TritonBackend(AutogradBackend):
    """Each operation has its own kernels; the same bits at every run, in a batch or alone."""

    batches = True

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        """See `Backend`. Triton is looked for, and not imported."""
        if dtype != torch.float32 or not _installed():
            return False
        return device.type == "cuda" or (device.type == "cpu" and os.environ.get(SWITCH) == "1")

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        """See `Backend`."""
        painted: Tensor = _Render.apply(strokes, canvas, mask, softness)
        return painted

    def objective(self, strokes: Tensor, task: Task, softness: float) -> tuple[float, Tensor]:
        """See `Backend`."""
        errors, gradients = self.objectives([strokes], [task], softness)
        return errors[0], gradients[0]

    def objectives(
        self, strokes: Sequence[Tensor], tasks: Sequence[Task], softness: float
    ) -> tuple[list[float], list[Tensor]]:
        """See `Backend`. Tasks of one size are one launch."""
        from semantic_guidance.renderer.backends.triton import operations

        values, slopes = [0.0] * len(tasks), [torch.empty(0, dtype=torch.float32)] * len(tasks)
        sizes = [task.target.shape for task in tasks]
        for size in dict.fromkeys(sizes):
            chosen = [n for n, other in enumerate(sizes) if other == size]
            some = [strokes[n].detach() for n in chosen]
            scene, canvas, wanted = _scene(some, [tasks[n] for n in chosen], softness)
            with _on(canvas.device):
                errors, gradients = operations.errors(scene, canvas, wanted)
            parts = gradients.split([len(each) for each in some])
            for n, error, gradient in zip(chosen, errors.tolist(), parts, strict=True):
                values[n], slopes[n] = error, gradient
        return values, slopes

    def removal_costs(self, strokes: Tensor, task: Task, softness: float) -> tuple[Tensor, Tensor]:
        """See `Backend`."""
        from semantic_guidance.renderer.backends.triton import operations

        scene, canvas, wanted = _scene([strokes.detach()], [task], softness)
        with _on(canvas.device):
            costs, after = operations.removal_costs(scene, canvas, wanted)
        return costs, after[0]

    def warm_up(self) -> None:
        """Compile the kernels, or read them from Triton's cache on disk. An interpreter has nothing to do."""
        if torch.cuda.is_available() and os.environ.get(SWITCH) != "1":
            _compile(torch.device("cuda", torch.cuda.current_device()))


@cache
def _compile(device: torch.device) -> None:
    """Call each kernel, once for a device."""
    backend, side = TritonBackend(), 16
    grey = torch.full((3, side, side), 0.5, device=device, dtype=torch.float32)
    stroke = torch.full((1, NUMBERS), 0.5, device=device, dtype=torch.float32)
    for masks, mask in ((grey[:0], None), (grey, 0)):
        task = Task((Segment(1, mask, 1.0),), masks, grey, grey, grey[0])
        backend.objective(stroke, task, 1.0)
        backend.removal_costs(stroke, task, 1.0)
        backend.render(stroke[None], grey[None], None if mask is None else grey[None, :1], 1.0)


def _on(device: torch.device) -> AbstractContextManager[Any]:
    """Kernels within the block run on this card."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None


def _scene(strokes: Sequence[Tensor], tasks: Sequence[Task], softness: float) -> tuple[Any, Tensor, Any]:
    """Where the strokes of tasks of one size fall, the canvases before them, and what is wanted.

    Segments after which no error counts are joined with those after them to one section.
    """
    from semantic_guidance.renderer.backends.triton import operations

    device = tasks[0].target.device
    bounds, factors, mask_of, picture = [], [], [], []
    done = masks = 0
    for n, (some, task) in enumerate(zip(strokes, tasks, strict=True)):
        ends, weights, at = [done], [], done
        for segment in task.segments:
            at += segment.count
            mask_of += [-1 if segment.mask is None else masks + segment.mask] * segment.count
            if segment.weight > 0:
                ends.append(at)
                weights.append(segment.weight)
        if ends[-1] < at:
            ends.append(at)
            weights.append(0.0)
        done += len(some)
        mask_of += [-1] * (done - len(mask_of))
        masks += len(task.masks)
        picture += [n] * len(some)
        bounds.append(ends)
        factors.append(weights)
    most = max(len(weights) for weights in factors)
    bounds = [ends + [ends[-1]] * (most + 1 - len(ends)) for ends in bounds]
    factors = [weights + [0.0] * (most - len(weights)) for weights in factors]
    target = torch.stack([task.target for task in tasks])
    masked = any(number >= 0 for number in mask_of)
    planes = torch.cat([task.masks for task in tasks]) if masked else target.new_empty(0)
    scene = operations.Scene.of(
        torch.cat(list(strokes)).contiguous(),
        torch.tensor(picture, dtype=torch.long, device=device),
        torch.tensor(bounds, dtype=torch.long, device=device),
        torch.tensor(mask_of, dtype=torch.int32, device=device),
        planes.contiguous(),
        operations.grid_of(target),
        softness,
    )
    # Scaled so that a sum over pixels and colours is a mean.
    weight = torch.stack([task.shares / 3 for task in tasks])
    wanted = operations.Wanted(
        target, weight, torch.tensor(factors, dtype=target.dtype, device=device).view(len(tasks), most)
    )
    return scene, torch.stack([task.blank for task in tasks]), wanted
