"""Painting as a Markov decision process: pure functions on a frozen state, batched and differentiable.

A step of the paper (Singh & Zheng 2021, section 3.1, bi-level painting) adds two bundles of strokes: one for
the background, composited under the mask's complement, then one for the foreground, under the mask. The
baseline (Huang et al. 2019) adds one bundle, composited everywhere. `learning.gym` is the same for Gymnasium.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.core.resample import resample
from semantic_guidance.core.strokes import NUMBERS, Strokes
from semantic_guidance.images.arrays import check_unit
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.ltp_rule import ltp_composite

Renderer = Callable[[Strokes, Tensor, Tensor | None, float], Tensor]
"""Takes strokes ``[B, N]``, canvas ``[B, 3, H, W]``, mask ``[B, 1, H, W]`` or None, softness in pixels."""

RULES = ("over", "seed")
"""Compositing rules: masks limit a stroke's alpha, or, in the reference code, its colour alone."""


@dataclass(frozen=True)
class EnvConfig:
    """What an episode looks like."""

    max_eps_len: int = field(
        default=50,
        metadata={
            "help": "steps per episode (default: 50; in the reference code 40, but its README says 50)",
            "min": 1,
        },
    )
    bundle_size: int = field(
        default=5,
        metadata={
            "help": "strokes per step; with --use_bilevel each level gets half of them, rounded up",
            "min": 1,
        },
    )
    use_bilevel: bool = field(
        default=False,
        metadata={"help": "paint background and foreground separately, and align the object"},
    )
    no_alignment: bool = field(
        default=False,
        metadata={"help": "with --use_bilevel, do not align the object: neither show its grid nor reward it"},
    )
    use_gbp: bool = field(default=False, metadata={"help": "show the agent the focus map, and reward by it"})
    softness: float = field(
        default=1.0, metadata={"help": "width in pixels of a stroke's soft edge in training", "above": 0}
    )
    compositing: str = field(
        default="over",
        metadata={
            "help": "over: a mask limits a stroke's alpha; seed: its colour alone, as in the reference code",
            "choices": RULES,
            "metavar": "RULE",
        },
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.compositing not in RULES:
            raise ValueError(f"compositing is {self.compositing!r}, wanted one of {', '.join(RULES)}")

    @property
    def levels(self) -> int:
        """Bundles per step."""
        return 2 if self.use_bilevel else 1

    @property
    def aligned(self) -> bool:
        """Whether the agent sees where the object is aligned, and is rewarded for it."""
        return self.use_bilevel and not self.no_alignment

    @property
    def level_size(self) -> int:
        """Strokes per bundle."""
        return -(-self.bundle_size // self.levels)

    @property
    def action_size(self) -> int:
        """Numbers of an action."""
        return NUMBERS * self.level_size * self.levels

    @property
    def channels(self) -> int:
        """Channels of an observation: 9 for the baseline, 13 with both kinds of guidance."""
        return sum(part.stop - part.start for part in channel_table(self).values())


def channel_table(config: EnvConfig) -> dict[str, slice]:
    """Which channels of an observation hold what, in the reference code's order.

    ``coordinates`` are row and column from 0 to 1; ``grid`` is the alignment grid, column first, moved from
    [-1, 1] to [0, 1].
    """
    sizes = {"canvas": 3, "target": 3, "step": 1, "coordinates": 2}
    if config.use_gbp:
        sizes["focus"] = 1
    if config.use_bilevel:
        sizes |= {"mask": 1, "grid": 2} if config.aligned else {"mask": 1}
    table, start = {}, 0
    for name, size in sizes.items():
        table[name] = slice(start, start + size)
        start += size
    return table


@dataclass(frozen=True, eq=False)
class PaintState:
    """A batch of half-finished paintings.

    Attributes:
        canvas: ``[B, 3, H, W]`` in [0, 1].
        target: ``[B, 3, H, W]`` in [0, 1].
        mask: ``[B, 1, H, W]`` soft foreground mask in [0, 1].
        focus: ``[B, 1, H, W]`` focus map in [0, 1].
        grid: ``[B, 2, H, W]`` where each pixel of the aligned object comes from, (x, y) in [-1, 1].
        step: ``[B]`` steps taken, integers.
    """

    canvas: Tensor  # [B, 3, H, W]
    target: Tensor  # [B, 3, H, W]
    mask: Tensor  # [B, 1, H, W]
    focus: Tensor  # [B, 1, H, W]
    grid: Tensor  # [B, 2, H, W]
    step: Tensor  # [B]

    @property
    def batch(self) -> int:
        """Number of paintings."""
        return self.canvas.shape[0]


def alignment_grid(boxes: Tensor, height: int, width: int) -> Tensor:
    """The affine grid that zooms to a box (section 3.2, neural alignment; Jaderberg et al. 2015).

    Args:
        boxes: ``[B, 4]`` (x, y, width, height), in units of the picture's width and height.
        height: of the canvas in pixels.
        width: of the canvas in pixels.

    Returns:
        ``[B, 2, H, W]`` (x, y) in [-1, 1], for `zoom`.
    """
    x, y, w, h = boxes.unbind(-1)
    zero = torch.zeros_like(x)
    matrix = torch.stack([w, zero, 2 * x + w - 1, zero, h, 2 * y + h - 1], dim=-1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, [len(boxes), 1, height, width], align_corners=False)
    return grid.permute(0, 3, 1, 2).contiguous()


def zoom(images: Tensor, grid: Tensor) -> Tensor:
    """`images` ``[B, C, H, W]`` looked up at `grid` ``[B, 2, H, W]``, black beyond the edge."""
    return F.grid_sample(images, grid.permute(0, 2, 3, 1), align_corners=False)


def guidance_tensors(
    guidance: Guidance, height: int, width: int, antialias: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Mask and focus map ``[1, H, W]`` at a canvas's size, and the largest object's box ``[4]``.

    The box is in units of the picture's width and height, and the whole picture where there is no object.
    `antialias`: see `resample`.
    """
    rows, columns = guidance.mask.shape[-2:]
    box = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float32)
    if guidance.instances:
        x, y, w, h = guidance.instances[0].box
        box = torch.tensor([x / columns, y / rows, w / columns, h / rows], dtype=torch.float32)
    mask, focus = (
        resample(values, height, width, antialias).clamp(0, 1) for values in (guidance.mask, guidance.focus)
    )
    return mask, focus, box


def initial(
    target: Tensor, mask: Tensor | None = None, focus: Tensor | None = None, boxes: Tensor | None = None
) -> PaintState:
    """Empty (black) canvases with their targets.

    Args:
        target: ``[B, 3, H, W]`` in [0, 1].
        mask: ``[B, 1, H, W]`` in [0, 1]; nothing if None.
        focus: ``[B, 1, H, W]`` in [0, 1]; nothing if None.
        boxes: ``[B, 4]`` see `alignment_grid`; the whole picture if None.

    Raises:
        ValueError: a shape is wrong, or a picture, mask or focus map is not in [0, 1].
    """
    for name, values in {"target": target, "mask": mask, "focus": focus}.items():
        if values is not None:
            check_unit(values, name)
    if boxes is not None and not bool(boxes.isfinite().all()):
        raise ValueError("boxes holds NaN or infinity, wanted (x, y, width, height) of the picture's sides")
    return begun(target, mask, focus, boxes)


def begun(
    target: Tensor, mask: Tensor | None = None, focus: Tensor | None = None, boxes: Tensor | None = None
) -> PaintState:
    """`initial` for numbers that are known to be in [0, 1], since they were bytes.

    Raises:
        ValueError: a shape is wrong.
    """
    if target.ndim != 4 or target.shape[1] != 3:
        raise ValueError(f"target has shape {list(target.shape)}, wanted [batch, 3, height, width]")
    batch, _, height, width = target.shape
    nothing = target.new_zeros(batch, 1, height, width)
    mask, focus = nothing if mask is None else mask, nothing if focus is None else focus
    if boxes is None:
        boxes = target.new_tensor([0.0, 0.0, 1.0, 1.0]).expand(batch, 4)
    wanted = {"mask": list(nothing.shape), "focus": list(nothing.shape), "boxes": [batch, 4]}
    for (name, shape), values in zip(wanted.items(), (mask, focus, boxes), strict=True):
        if list(values.shape) != shape:
            raise ValueError(f"{name} has shape {list(values.shape)}, wanted {shape}")
    step = torch.zeros(batch, dtype=torch.long, device=target.device)
    grid = alignment_grid(boxes, height, width)
    return PaintState(torch.zeros_like(target), target, mask, focus, grid, step)


def coordinates(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """``[2, H, W]`` each pixel's row and column from 0 to 1 (CoordConv, Liu et al. 2018)."""
    rows = torch.linspace(0, 1, height, device=device, dtype=torch.float32)[:, None].expand(height, width)
    columns = torch.linspace(0, 1, width, device=device, dtype=torch.float32)[None].expand(height, width)
    return torch.stack([rows, columns])


def observation(state: PaintState, config: EnvConfig) -> Tensor:
    """What the actor sees, ``[B, C, H, W]`` with the channels of `channel_table`, all in [0, 1]."""
    batch, _, height, width = state.canvas.shape
    parts = {
        "canvas": state.canvas,
        "target": state.target,
        "step": (state.step.float() / config.max_eps_len).view(-1, 1, 1, 1).expand(batch, 1, height, width),
        "coordinates": coordinates(height, width, state.canvas.device).expand(batch, 2, height, width),
        "focus": state.focus,
        "mask": state.mask,
        "grid": (state.grid + 1) / 2,
    }
    return torch.cat([parts[name].to(state.canvas) for name in channel_table(config)], dim=1)


def critic_observation(before: PaintState, after: PaintState, config: EnvConfig) -> Tensor:
    """What the critic sees, ``[B, 3 + C, H, W]``: the previous canvas, and the observation after the step."""
    return torch.cat([before.canvas, observation(after, config)], dim=1)


def decode(action: Tensor, config: EnvConfig) -> list[Strokes]:
    """An action ``[B, action_size]`` in [0, 1] as one ``[B, level_size]`` bundle per level.

    Raises:
        ValueError: the action has another size.
    """
    if action.ndim != 2 or action.shape[1] != config.action_size:
        raise ValueError(f"action has shape {list(action.shape)}, wanted [batch, {config.action_size}]")
    vectors = action.reshape(len(action), config.levels, config.level_size, NUMBERS)
    return [strokes_from_ltp(bundle) for bundle in vectors.unbind(dim=1)]


def compositor(config: EnvConfig, backend: str | Backend = "auto") -> Renderer:
    """What paints by the episode's compositing rule, on the given backend of `render`."""
    return functools.partial(render if config.compositing == "over" else ltp_composite, backend=backend)


def apply_strokes(
    state: PaintState, bundles: list[Strokes], config: EnvConfig, renderer: Renderer | None = None
) -> PaintState:
    """The state after one bundle per level: background under the mask's complement, then foreground.

    `renderer` is the episode's `compositor` if None.
    """
    paint = compositor(config) if renderer is None else renderer
    masks = [1 - state.mask, state.mask] if config.use_bilevel else [None]
    canvas = state.canvas
    for strokes, mask in zip(bundles, masks, strict=True):
        canvas = paint(strokes, canvas, mask, config.softness)
    return replace(state, canvas=canvas, step=state.step + 1)


def transition(
    state: PaintState, action: Tensor, config: EnvConfig, renderer: Renderer | None = None
) -> PaintState:
    """The state after an action ``[B, action_size]``; differentiable in canvas and action.

    `renderer` is the episode's `compositor` if None.
    """
    return apply_strokes(state, decode(action, config), config, renderer)


def reward(before: PaintState, after: PaintState) -> Tensor:
    """How much the mean squared error fell, ``[B]``. `learning.rewards` has the papers', of networks."""
    return mean_squared_error(before) - mean_squared_error(after)


def mean_squared_error(state: PaintState) -> Tensor:
    """``[B]`` mean over pixels and colours of the squared difference between canvas and target."""
    return (state.canvas - state.target).square().mean(dim=(1, 2, 3))


def terminal(state: PaintState, config: EnvConfig) -> Tensor:
    """``[B]`` whether the episode is over."""
    return state.step >= config.max_eps_len
