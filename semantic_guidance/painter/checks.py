"""What a painter is told, checked."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.agents.base import Agent, Draft
from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.errors import NotFiniteError
from semantic_guidance.core.packed import OPACITY, check_finite
from semantic_guidance.images.color import Color
from semantic_guidance.images.files import to_image
from semantic_guidance.renderer.backends.base import Backend, load_backend
from semantic_guidance.renderer.objective import Workplace

NOTHING_LEFT = 0.05
"""Root mean square of a canvas's error below which an agent may have nothing to paint."""

INVISIBLE = 1 / 512
"""Opacity that changes no byte of a canvas."""


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless `value` is a whole number in the range."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not low <= int(value) <= high:
        raise ValueError(f"{name} is {value!r}, wanted a whole number from {low} to {high}")


def workplace(backend: str | Backend, device: str | torch.device) -> Workplace:
    """Where strokes are refined.

    Raises:
        ValueError: there is no such device, or the backend does not support it.
    """
    try:
        place = torch.device(device)
        zero = torch.zeros(1, device=place, dtype=torch.uint8)
        there = zero.tolist() == [0]  # one that holds no numbers cannot
    except (RuntimeError, AssertionError, TypeError, NotImplementedError):
        there = False
    if not there:
        raise ValueError(f"device is {str(device)!r}, wanted cpu, or cuda where torch finds a graphics card")
    return Workplace(place, load_backend(backend, place, torch.float32))


def drafting(backend: Backend) -> Backend:
    """What renders on the processor: the given backend, or the fastest one that does."""
    here = torch.device("cpu")
    return backend if backend.supports(here, torch.float32) else load_backend("auto", here, torch.float32)


def drafted(agent: Agent, name: str, problem: Problem, rng: np.random.Generator) -> Draft:
    """An agent's first strokes.

    Args:
        agent: that makes them.
        name: its name or file, for the message.
        problem: what it paints.
        rng: of all random choices.

    Raises:
        ValueError: they are not finite; or none can be seen, though the canvas is far from the picture.
    """
    try:
        draft = agent.draft(problem, rng)
        check_finite(draft.strokes.numpy(force=True))
    except NotFiniteError:
        raise ValueError(
            f"agent: the strokes of {name} are not finite, wanted one whose training did not diverge"
        ) from None
    opacities = draft.strokes[:, OPACITY]
    if any(problem.budgets) and not (opacities > INVISIBLE).any():
        error = float((problem.canvas - problem.target).square().mean().sqrt())
        if error > NOTHING_LEFT:
            raise ValueError(f"agent: {name} paints nothing, wanted one that makes strokes")
    return draft


def checked_start(start: Any) -> Color | Tensor | None:
    """The canvas before the first stroke, if it is a colour, a picture or None.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(start, Tensor):
        try:
            return to_image(start)
        except ValueError as error:
            raise ValueError(f"start: {error}") from None
    if start is None:
        return None
    if (
        not isinstance(start, tuple)
        or len(start) != 3
        or not all(isinstance(part, Real) and 0 <= float(part) <= 1 for part in start)
    ):
        raise ValueError(f"start is {start!r}, wanted a tuple of RGB in [0, 1], or a picture [3, h, w]")
    red, green, blue = start
    return float(red), float(green), float(blue)
