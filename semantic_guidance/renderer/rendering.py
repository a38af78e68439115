"""`render`, differentiable in strokes and canvas."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from semantic_guidance.core.check import check_shape
from semantic_guidance.core.forks import mark_computed
from semantic_guidance.core.strokes import Strokes, require_finite
from semantic_guidance.renderer.backends.base import Backend, load_backend
from semantic_guidance.renderer.definition import ENDS


def render(
    strokes: Strokes,
    canvas: Tensor,
    mask: Tensor | None = None,
    softness: float = 1.0,
    backend: str | Backend = "auto",
    ends: str = "round",
) -> Tensor:
    """Paint strokes on a canvas: ``canvas <- canvas * (1 - a m) + colour * a m``, stroke after stroke.

    Differentiable, once, in strokes, canvas and mask. The stroke's alpha a is its opacity (that of the last
    of 100 discs that covers the pixel) times its coverage, a linear step of the signed distance to its edge.

    Args:
        strokes: ``[B, N]`` strokes; positions and radii in units of the canvas's longer side.
        canvas: ``[B, 3, H, W]`` in [0, 1], any H and W, of a floating-point type.
        mask: ``[B, 1, H, W]`` in [0, 1] or booleans, where the strokes show; everywhere if None.
        softness: width of the soft edge in pixels of the canvas, above 0.
        backend: ``cpu`` (compiled, float32), ``triton`` (compiled for graphics cards, float32),
            ``reference`` (plain torch, any device and dtype), a plug-in's name, ``auto`` for the fastest that
            supports the tensors, or a backend such as `backends.neural.NeuralBackend`.
        ends: how the strokes end, ``round``, ``square`` or ``filbert``. Other than round ones are drawn by
            ``cpu`` and ``reference``; where gradients are wanted, ``cpu`` leaves them to ``reference``.

    Returns:
        The painted canvas, ``[B, 3, H, W]``, of the type to which strokes and canvas promote.

    Raises:
        ValueError: a shape, a type, the range, the softness, the backend or the ends are not as above, or a
            stroke is not finite.
    """
    mark_computed()
    check_shape("canvas", canvas, "batch", 3, "height", "width")
    if strokes.batch != canvas.shape[0]:
        raise ValueError(f"strokes have batch {strokes.batch}, wanted the canvas's {canvas.shape[0]}")
    if mask is not None:
        check_shape("mask", mask, canvas.shape[0], 1, *canvas.shape[2:])
    _check_kinds(canvas, mask)
    if not (math.isfinite(softness) and softness > 0):
        raise ValueError(f"softness is {softness}, wanted a number above 0")
    if ends not in ENDS:
        raise ValueError(f"ends is {ends!r}, wanted one of {', '.join(ENDS)}")
    vectors = strokes.pack()
    require_finite(vectors)
    kind = functools.reduce(torch.promote_types, (vectors.dtype, canvas.dtype))
    device = vectors.device if vectors.device.type != "cpu" else canvas.device
    chosen = load_backend(backend, device, kind)
    vectors, canvas = vectors.to(kind), canvas.to(kind)
    mask = None if mask is None else mask.to(kind)
    if ends == "round":
        return chosen.render(vectors, canvas, mask, softness)
    return chosen.render_ends(vectors, canvas, mask, softness, ends)


SURELY_BYTES = 2.0
"""Value that no picture from 0 to 1 reaches, however it was computed."""


def _check_kinds(canvas: Tensor, mask: Tensor | None) -> None:
    """Bytes from 0 to 255, as picture files have them, would be taken for what they are not."""
    wanted = "wanted floating-point numbers in [0, 1]"
    if not canvas.is_floating_point():
        raise ValueError(f"canvas is of {_name(canvas)}, {wanted}")
    if mask is not None and not (mask.is_floating_point() or mask.dtype == torch.bool):
        raise ValueError(f"mask is of {_name(mask)}, {wanted}, or booleans")
    for name, values in (("canvas", canvas), ("mask", mask)):
        if (
            values is None
            or values.device.type != "cpu"
            or not values.is_floating_point()
            or 0 in values.shape
        ):
            continue
        high = float(values[0].detach().amax())  # of the first picture alone: a hundredth of the rendering
        if high > SURELY_BYTES:
            raise ValueError(f"{name} has values up to {high:g}, wanted 0 to 1")


def _name(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")
