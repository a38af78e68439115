"""Bridges to the code of Huang et al. (ICCV 2019) and Singh & Zheng (CVPR 2021), called the seed here.

A seed stroke is 13 numbers in [0, 1]: ``x0 y0 x1 y1 x2 y2 z0 z2 w0 w2 r g b``. Its "x" is the row. The
control point is relative, ``x1' = x0 + (x2 - x0) x1``. The seed stamps 100 discs at t = 0, 0.01 ... 0.99 on a
canvas of twice the size, so it never reaches the end point; our strokes are the part of the curve that it
does paint, from t = 0 to 0.99.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from semantic_guidance.types import Strokes

if TYPE_CHECKING:
    from semantic_guidance.networks.actor import Actor
    from semantic_guidance.renderer.neural import NeuralRenderer

SEED_SIZE = 128
"""Side in pixels of the seed's canvas, for which the constants below hold."""

GRID = 2 * SEED_SIZE
"""Side of the canvas on which the seed stamps: a position v at pixel ``int(v * (GRID - 1) + 0.5)``."""

LAST_T = 0.99
"""Parameter of the last disc that the seed stamps."""

CENTRE = 0.1
"""Mean place of a disc's centre within its pixel: pixels have it at 0.5, truncation takes about 0.4 away."""

RIM = 0.35
"""What a disc's radius is larger than ``z * SEED_SIZE / 2`` in pixels of the grid: plus 1 by definition, less
two truncations, plus what a drawn disc extends beyond its centre line. Both were fitted to the stamping."""


def strokes_from_seed(vectors: Tensor) -> Strokes:
    """Seed vectors to strokes, differentiable.

    Args:
        vectors: ``[B, N, 13]`` in [0, 1].

    Returns:
        ``[B, N]`` strokes.

    Raises:
        ValueError: the shape is another.
    """
    if vectors.ndim != 3 or vectors.shape[-1] != 13:
        raise ValueError(f"vectors has shape {list(vectors.shape)}, wanted [batch, strokes, 13]")
    rows_columns = vectors[..., :6].unflatten(-1, (3, 2))
    start, control, end = rows_columns.unbind(-2)
    control = start + (end - start) * control
    points = torch.stack([start, control, end], dim=-2).flip(-1)
    points = (points * (GRID - 1) + CENTRE) / GRID
    radius = (vectors[..., 6:8] * SEED_SIZE / 2 + RIM) / GRID
    return Strokes(
        _part_of_curve(points, LAST_T),
        _part_of_line(radius, LAST_T),
        _part_of_line(vectors[..., 8:10], LAST_T),
        vectors[..., 10:13],
    )


def strokes_to_seed(strokes: Strokes) -> Tensor:
    """Strokes to seed vectors ``[B, N, 13]``, the inverse of `strokes_from_seed`, differentiable.

    A seed vector is confined to [0, 1] and its control point to the box of its end points; strokes beyond
    that become the nearest vector that can be written.
    """
    points = _part_of_curve(strokes.points, 1 / LAST_T)
    start, control, end = ((points * GRID - CENTRE) / (GRID - 1)).flip(-1).unbind(-2)
    # Where start and end agree every control point is the same: choose the middle.
    span = end - start
    flat = span.abs() < 1e-6
    control = torch.where(flat, 0.5, (control - start) / torch.where(flat, 1.0, span))
    z = (_part_of_line(strokes.radius, 1 / LAST_T) * GRID - RIM) * 2 / SEED_SIZE
    opacity = _part_of_line(strokes.opacity, 1 / LAST_T)
    return torch.cat([start, control, end, z, opacity, strokes.color], dim=-1).clamp(0, 1)


def _part_of_curve(points: Tensor, t: float) -> Tensor:
    """Control points ``[..., 3, 2]`` of a quadratic's part from 0 to `t` (beyond 1: continued)."""
    start, control, end = points.unbind(-2)
    middle = start + t * (control - start)
    last = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    return torch.stack([start, middle, last], dim=-2)


def _part_of_line(values: Tensor, t: float) -> Tensor:
    """Values ``[..., 2]`` at the ends of a line's part from 0 to `t` (beyond 1: continued)."""
    start, end = values.unbind(-1)
    return torch.stack([start, start + t * (end - start)], dim=-1)


Module = TypeVar("Module", bound=torch.nn.Module)

BASELINE_CHANNELS, SEMANTIC_CHANNELS = 9, 13
"""Channels that the seed's two kinds of actors see."""


def load_seed_actor(path: str | Path) -> Actor:
    """An actor from one of the seed's checkpoints, ready for use (in evaluation mode).

    Args:
        path: of a pickled state dict, of the baseline or of semantic guidance, with or without the prefix
            ``module.``. It is read without running code from it.

    Returns:
        A module: observation ``[B, 9 or 13, 128, 128]`` to seed vectors ``[B, 65 or 78]`` in [0, 1].

    Raises:
        ValueError: the file is missing, corrupt, or no such checkpoint.
    """
    from semantic_guidance.networks.actor import Actor

    state = _read_state(path, "a checkpoint of the seed's actor")
    try:
        width, channels = state["conv1.weight"].shape[:2]
        outputs = len(state["fc.bias"])
    except (KeyError, ValueError, TypeError, IndexError):
        raise ValueError(f"{path} holds no actor, wanted a checkpoint of the seed's actor") from None
    levels = {BASELINE_CHANNELS: 1, SEMANTIC_CHANNELS: 2}.get(channels)
    if levels is None or outputs == 0 or outputs % (13 * levels):
        raise ValueError(
            f"{path} is an actor with {channels} channels and {outputs} outputs, "
            f"wanted {BASELINE_CHANNELS} and 65, or {SEMANTIC_CHANNELS} and 78"
        )
    return _filled(Actor(channels, outputs, width), state, path, "a checkpoint of the seed's actor")


def load_seed_renderer(path: str | Path) -> NeuralRenderer:
    """A neural renderer from one of the seed's checkpoints, ready for use (in evaluation mode).

    Args:
        path: of a pickled state dict, for 128 or 256 pixels, with or without the prefix ``module.``. It is
            read without running code from it.

    Returns:
        A module: seed vectors ``[N, 10]`` to alpha ``[N, 128, 128]`` (or 256) in [0, 1].

    Raises:
        ValueError: the file is missing, corrupt, or no such checkpoint.
    """
    from semantic_guidance.renderer.neural import NeuralRenderer

    state = _read_state(path, "a checkpoint of the seed's renderer")
    size = 256 if "conv8.weight" in state else 128
    return _filled(NeuralRenderer(size), state, path, "a checkpoint of the seed's renderer")


def _read_state(path: str | Path, what: str) -> dict[str, Tensor]:
    """The tensors of a pickled state dict, without the prefix that data parallelism puts before names.

    Raises:
        ValueError: the file is missing, corrupt, or holds something else.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read, wanted {what} ({error.strerror or error})") from None
    except Exception as error:  # whatever a file that is no checkpoint makes the reader stumble over
        raise ValueError(
            f"{path} is corrupt or no checkpoint, wanted {what} ({type(error).__name__})"
        ) from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"{path} holds no state dict, wanted {what}")
    state = {name.removeprefix("module."): values for name, values in content.items()}
    for name, values in state.items():
        if not isinstance(values, Tensor):
            raise ValueError(f"{path} holds {name!r}, which is no tensor, wanted {what}")
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise ValueError(f"{path} holds numbers in {name!r} that are not finite, wanted {what}")
    return state


def _filled(module: Module, state: dict[str, Tensor], path: str | Path, what: str) -> Module:
    """`module` in evaluation mode with the given parameters.

    Raises:
        ValueError: names or shapes are others.
    """
    names = {name for name in module.state_dict() if not name.endswith("num_batches_tracked")}
    unknown = sorted(state.keys() - module.state_dict().keys())
    if names - state.keys() or unknown:
        odd = sorted(names - state.keys()) or unknown
        raise ValueError(f"{path} differs from what is known in {odd[0]!r}, wanted {what}")
    try:
        module.load_state_dict(state, strict=False)
    except RuntimeError:
        raise ValueError(f"{path} has tensors of other shapes, wanted {what}") from None
    return module.eval().requires_grad_(False)
