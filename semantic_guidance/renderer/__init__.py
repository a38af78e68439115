"""Rendering of strokes: `render`, differentiable in strokes and canvas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from semantic_guidance.renderer import reference
from semantic_guidance.types import Strokes, require_finite

BACKENDS = ("auto", "reference", "numba")


class _NumbaRender(torch.autograd.Function):
    """`numba_kernel.paint` and `unpaint` as one differentiable operation on packed strokes."""

    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, canvas: Tensor, mask: Tensor | None, softness: float, keep: bool
    ) -> Tensor:
        from semantic_guidance.renderer import kernel_geometry, numba_kernel

        batch, _, height, width = canvas.shape
        packed = vectors.detach().contiguous().numpy()
        painted = canvas.detach().clone(memory_format=torch.contiguous_format)
        nothing = torch.zeros(batch, 0, 0)
        under = nothing if mask is None else mask.detach()[:, 0].float().contiguous()
        bands = kernel_geometry.band_count(batch, height)
        saved, starts = kernel_geometry.NO_TAPE, kernel_geometry.NO_STARTS
        if keep:
            starts = numba_kernel.count_pixels(packed, height, width, softness, bands)
            saved = torch.empty(kernel_geometry.SAVED, int(starts[-1])).numpy()
            ctx.tape = (packed, under.numpy(), softness, bands, saved, starts)
        numba_kernel.paint(packed, painted.numpy(), under.numpy(), softness, bands, saved, starts, keep)
        return painted

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from semantic_guidance.renderer import numba_kernel

        grad_canvas = grad.clone(memory_format=torch.contiguous_format)
        grads = numba_kernel.unpaint(*ctx.tape, grad_canvas.numpy())
        return torch.from_numpy(grads.sum(axis=1)), grad_canvas, None, None, None


Backend = Callable[[Strokes, Tensor, Tensor | None, float], Tensor]
"""Takes strokes, canvas, mask and softness, as `render` does."""


def render(
    strokes: Strokes,
    canvas: Tensor,
    mask: Tensor | None = None,
    softness: float = 1.0,
    backend: str | Backend = "auto",
) -> Tensor:
    """Paint strokes on a canvas: ``canvas <- canvas * (1 - a m) + colour * a m``, stroke after stroke.

    Differentiable in strokes and canvas. The stroke's alpha a is its opacity (that of the last of 100 discs
    that covers the pixel) times its coverage, a linear step of the signed distance to its edge.

    Args:
        strokes: ``[B, N]`` strokes; positions and radii in units of the canvas's longer side.
        canvas: ``[B, 3, H, W]`` in [0, 1], any H and W.
        mask: ``[B, 1, H, W]`` in [0, 1], where the strokes show; everywhere if None.
        softness: width of the soft edge in pixels of the canvas, above 0.
        backend: ``numba`` (CPU, float32), ``reference`` (plain torch, any device and dtype), ``auto``,
            or a function such as `neural.NeuralRenderer.paint`.

    Returns:
        The painted canvas, ``[B, 3, H, W]``.

    Raises:
        ValueError: a shape, the softness or the backend is not as above, or a stroke's number not finite.
    """
    if canvas.ndim != 4 or canvas.shape[1] != 3:
        raise ValueError(f"canvas has shape {list(canvas.shape)}, wanted [batch, 3, height, width]")
    if strokes.batch != canvas.shape[0]:
        raise ValueError(f"strokes have batch {strokes.batch}, wanted the canvas's {canvas.shape[0]}")
    if mask is not None and mask.shape != (canvas.shape[0], 1, *canvas.shape[2:]):
        raise ValueError(
            f"mask has shape {list(mask.shape)}, wanted {[canvas.shape[0], 1, *canvas.shape[2:]]}"
        )
    if not (math.isfinite(softness) and softness > 0):
        raise ValueError(f"softness is {softness}, wanted a number above 0")
    vectors = strokes.pack()
    require_finite(vectors)
    if callable(backend):
        return backend(strokes, canvas, mask, softness)
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}, wanted one of {', '.join(BACKENDS)}")
    tensors = [strokes.points, strokes.radius, strokes.opacity, strokes.color, canvas]
    compiled = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
    if backend == "numba" and not compiled:
        raise ValueError("backend 'numba' wants strokes and canvas in float32 on the CPU")
    if backend == "reference" or not compiled:
        return reference.render(strokes, canvas, mask, softness)
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    painted: Tensor = _NumbaRender.apply(vectors, canvas, mask, softness, keep)
    return painted
