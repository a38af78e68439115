"""Checks of arguments, with one vocabulary for their messages."""

from __future__ import annotations

from torch import Tensor


def check_shape(name: str, values: Tensor, *wanted: int | str) -> None:
    """Raise ValueError unless a tensor has the wanted shape.

    Args:
        name: of the argument, for the message.
        values: the tensor.
        wanted: one entry per dimension: its size, or a word where any size will do.
    """
    fits = values.ndim == len(wanted) and all(
        isinstance(size, str) or size == got for size, got in zip(wanted, values.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {list(values.shape)}, wanted [{', '.join(map(str, wanted))}]")


def check_picture(name: str, image: Tensor, channels: int = 3) -> None:
    """Raise ValueError unless a tensor is ``[channels, H, W]`` with at least one pixel."""
    check_shape(name, image, channels, "height", "width")
    if 0 in image.shape:
        raise ValueError(f"{name} is {image.shape[2]} x {image.shape[1]}, wanted at least one pixel")
