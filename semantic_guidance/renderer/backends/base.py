"""What a renderer must offer, and all of it made from `render` alone.

A new renderer is a class with `supports` and a differentiable `render` that inherits from `AutogradBackend`;
it overrides what it can do faster itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from semantic_guidance.core.check import check_shape
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import BACKENDS
from semantic_guidance.core.strokes import COLOR, OPACITY
from semantic_guidance.core.threads import torch_threads

T = TypeVar("T")

AUTO = ("cpu", "triton", "reference")
"""Backends among which ``auto`` chooses the first that supports the tensors at hand."""

ALIASES = {"numba": "cpu"}
"""Earlier names."""


@dataclass(frozen=True)
class Segment:
    """Consecutive strokes under one mask, and how much the picture after them counts.

    Attributes:
        count: number of strokes.
        mask: index of the mask under which they are painted, None for everywhere.
        weight: of the error of the canvas as it is after this segment; above 0 for the last one.
    """

    count: int
    mask: int | None = None
    weight: float = 0.0


@dataclass(frozen=True, eq=False)
class Task:
    """A picture to be painted: its error is the sum over segments of
    ``segment.weight * mean(weight * (canvas after the segment - target)^2)``.

    Attributes:
        segments: of the painting, in painting order.
        masks: ``[M, H, W]`` in [0, 1].
        blank: ``[3, H, W]`` the canvas before the first stroke.
        target: ``[3, H, W]`` the wanted picture.
        weight: ``[H, W]`` of the squared error, not below 0; scaled to mean 1.

    Raises:
        ValueError: a shape, a segment's mask or a weight is not as above.
    """

    segments: Sequence[Segment]
    masks: Tensor  # [M, H, W]
    blank: Tensor  # [3, H, W]
    target: Tensor  # [3, H, W]
    weight: Tensor  # [H, W]

    def __post_init__(self) -> None:
        check_shape("target", self.target, 3, "height", "width")
        height, width = self.target.shape[1:]
        check_shape("blank", self.blank, 3, height, width)
        check_shape("masks", self.masks, "masks", height, width)
        check_shape("weight", self.weight, height, width)
        for segment in self.segments:
            if segment.mask is not None and not 0 <= segment.mask < len(self.masks):
                raise ValueError(f"mask of a segment is {segment.mask}, wanted less than {len(self.masks)}")
            if segment.count < 0 or not segment.weight >= 0:
                raise ValueError(f"a segment is {segment}, wanted count and weight of at least 0")
        if not self.segments or self.segments[-1].weight == 0:
            raise ValueError("the last segment has no weight, wanted one above 0")
        # Elsewhere, looking would make a graphics card wait.
        if self.weight.device.type == "cpu" and not bool((self.weight >= 0).all()):
            raise ValueError("weight has numbers below 0, wanted none")

    @cached_property
    def shares(self) -> Tensor:
        """``[H, W]`` the weights as shares of their sum, which is the same however many threads add it up."""
        return self.weight / self.weight.double().sum().to(self.weight.dtype)

    def check_count(self, strokes: Tensor) -> None:
        """Check that there are as many strokes as the segments say.

        Raises:
            ValueError: there are more or fewer.
        """
        count = sum(segment.count for segment in self.segments)
        if len(strokes) != count:
            raise ValueError(f"there are {len(strokes)} strokes, wanted the segments' {count}")


class Backend(Protocol):
    """A renderer: strokes are packed, see `Strokes.pack`, in units of the canvas's longer side."""

    batches: bool
    """Whether `objectives` is faster than one `objective` after the other."""

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        """Whether it renders tensors of this kind."""

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        """The canvas ``[B, 3, H, W]`` with strokes ``[B, N, 13]`` under a mask ``[B, 1, H, W]`` or none.

        Differentiable, once, in strokes, canvas and mask. Its arguments have been checked, and are of one
        type.
        """

    def render_ends(
        self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float, ends: str
    ) -> Tensor:
        """`render` of strokes that end otherwise than round, one of `renderer.definition.ENDS`.

        Raises:
            InputError: the backend has no such ends.
        """

    def objective(self, strokes: Tensor, task: Task, softness: float) -> tuple[float, Tensor]:
        """The task's error for strokes ``[N, 13]``, and its gradient ``[N, 13]``."""

    def objectives(
        self, strokes: Sequence[Tensor], tasks: Sequence[Task], softness: float
    ) -> tuple[list[float], list[Tensor]]:
        """`objective` of several paintings; each has the same numbers as alone."""

    def removal_costs(self, strokes: Tensor, task: Task, softness: float) -> tuple[Tensor, Tensor]:
        """By how much the error of the finished canvas rises without each stroke, and that canvas.

        Returns:
            ``[N]`` exact for each stroke alone, and ``[3, H, W]``.
        """

    def warm_up(self) -> None:
        """Do now what would slow down the first call of each operation, such as compiling."""

    def threads(self, count: int) -> AbstractContextManager[None]:
        """Use at most `count` threads within the context."""

    def settle(self, count: int) -> None:
        """Start `count` threads now, and use that many from now on."""

    def steady(self) -> Callable[[Callable[[], T]], T]:
        """A function that runs repeated calls of about equal cost on as many threads as is fastest."""


class AutogradBackend(ABC):
    """A backend made of `supports` and `render`: automatic differentiation does the rest."""

    batches = False

    @abstractmethod
    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        """See `Backend`."""

    @abstractmethod
    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        """See `Backend`."""

    def render_ends(
        self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float, ends: str
    ) -> Tensor:
        """See `Backend`. There are none."""
        name = type(self).__name__
        raise InputError(f"ends is {ends!r}, wanted 'round' for {name}, or the backend 'reference'")

    def objective(self, strokes: Tensor, task: Task, softness: float) -> tuple[float, Tensor]:
        """See `Backend`."""
        tracked = strokes.detach().clone().requires_grad_()
        weight = task.weight / task.weight.mean()
        canvas, start = task.blank[None], 0
        with torch.enable_grad():
            total = tracked.sum() * 0
            for segment in task.segments:
                part = tracked[None, start : start + segment.count]
                canvas = self.render(part, canvas, _mask_of(segment, task, 1), softness)
                start += segment.count
                if segment.weight > 0:
                    total = total + segment.weight * (weight * (canvas[0] - task.target) ** 2).mean()
            (gradient,) = torch.autograd.grad(total, tracked)
        return float(total.detach()), gradient

    def objectives(
        self, strokes: Sequence[Tensor], tasks: Sequence[Task], softness: float
    ) -> tuple[list[float], list[Tensor]]:
        """See `Backend`. One after the other."""
        done = [self.objective(some, task, softness) for some, task in zip(strokes, tasks, strict=True)]
        return [value for value, _ in done], [gradient for _, gradient in done]

    @torch.no_grad()
    def removal_costs(self, strokes: Tensor, task: Task, softness: float) -> tuple[Tensor, Tensor]:
        """See `Backend`. A stroke is removed by an opacity of 0: all variants are one batch."""
        count = len(strokes)
        variants = strokes.expand(count + 1, -1, -1).clone()
        variants[range(count), range(count), OPACITY] = 0
        canvas, start = task.blank.expand(count + 1, -1, -1, -1), 0
        for segment in task.segments:
            part = variants[:, start : start + segment.count]
            canvas = self.render(part, canvas, _mask_of(segment, task, count + 1), softness)
            start += segment.count
        weight = task.weight / task.weight.mean()
        errors = (weight * (canvas - task.target) ** 2).mean(dim=(1, 2, 3))
        return errors[:count] - errors[count], canvas[count]

    def warm_up(self) -> None:  # noqa: B027
        """See `Backend`. There is nothing to do."""

    def threads(self, count: int) -> AbstractContextManager[None]:
        """See `Backend`. Its threads are torch's, which the caller sets."""
        return nullcontext()

    def settle(self, count: int) -> None:  # noqa: B027
        """See `Backend`. Its threads are torch's."""

    def steady(self) -> Callable[[Callable[[], T]], T]:
        """See `Backend`."""
        return lambda function: function()


def _mask_of(segment: Segment, task: Task, batch: int) -> Tensor | None:
    """``[batch, 1, H, W]``, or None."""
    if segment.mask is None:
        return None
    return task.masks[segment.mask].expand(batch, 1, -1, -1)


class _Refused(torch.autograd.Function):
    """A gradient that cannot be differentiated again, in anything that it was made of."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, *made_of: Tensor | None) -> Tensor:
        return gradient.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor | None, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> None:
        raise RuntimeError("render has no second derivatives, wanted no more than its gradient")


def first_order(gradients: Sequence[Tensor | None], *made_of: Tensor | None) -> tuple[Tensor | None, ...]:
    """The gradients of a backward pass; where that is recorded, differentiating them is an error.

    Torch's `once_differentiable` leaves `made_of` out of the graph, so that ``torch.autograd.grad`` may say
    None of it instead.
    """
    if not torch.is_grad_enabled():
        return tuple(gradients)
    return tuple(None if slope is None else _Refused.apply(slope, *made_of) for slope in gradients)


def is_tracked(*values: Tensor | None) -> bool:
    """Whether automatic differentiation, backward or forward, follows one of these."""
    given = [value for value in values if value is not None]
    if torch.is_grad_enabled() and any(value.requires_grad for value in given):
        return True
    return any(forward_ad.unpack_dual(value).tangent is not None for value in given)


def untouched(canvas: Tensor, *others: Tensor | None) -> Tensor:
    """The canvas that nothing was painted on; gradients in the others are 0."""
    return canvas + sum(other.flatten()[:0].sum() for other in others if other is not None)


def mask_gradient(
    render: Callable[[Tensor, Tensor, None, float], Tensor],
    inputs: tuple[Tensor, Tensor, Tensor],
    softness: float,
    slopes: Tensor,
) -> Tensor:
    """``[B, 1, H, W]`` gradient in a mask: the strokes' alphas are rendered one by one, and composited.

    Args:
        render: without gradients: packed strokes on a canvas.
        inputs: packed strokes ``[B, N, 13]``, canvas ``[B, 3, H, W]`` and mask ``[B, 1, H, W]``.
        softness: of the rendering.
        slopes: gradient ``[B, 3, H, W]`` of what was painted.
    """
    strokes, canvas, mask = (values.detach() for values in inputs)
    white = strokes.clone()
    white[..., COLOR] = 1
    black, under = torch.zeros_like(canvas), mask.requires_grad_()
    with torch.enable_grad():
        painted = untouched(canvas, under)
        for n in range(strokes.shape[1]):
            alpha = render(white[:, n : n + 1], black, None, softness)[:, :1] * under
            painted = painted * (1 - alpha) + strokes[:, n, COLOR, None, None] * alpha
        (gradient,) = torch.autograd.grad(painted, under, slopes.detach())
    return gradient


def load_backend(backend: str | Backend, device: torch.device, dtype: torch.dtype) -> Backend:
    """The backend of that name, or the given one, if it supports the tensors.

    Args:
        backend: a name in `BACKENDS`, ``auto`` for the fastest one, or a backend.
        device: of the tensors.
        dtype: of the tensors.

    Raises:
        InputError: the name is unknown, or the backend does not support the tensors.
    """
    if not isinstance(backend, str):
        chosen = backend
    elif backend == "auto":
        return next(found for name in AUTO if (found := _shared(name)).supports(device, dtype))
    else:
        chosen = _shared(ALIASES.get(backend, backend))
    if not chosen.supports(device, dtype):
        name = backend if isinstance(backend, str) else type(backend).__name__
        kind = str(dtype).removeprefix("torch.")
        raise InputError(f"backend {name!r} does not support {kind} on {device.type}, wanted another one")
    return chosen


_backends: dict[str, Backend] = {}


def _shared(name: str) -> Backend:
    """The one instance of the backend of that name."""
    if name not in BACKENDS:
        raise InputError(f"backend is {name!r}, {BACKENDS.wanted(name)}, or auto")
    maker = BACKENDS.get(name)
    if type(_backends.get(name)) is not maker:
        _backends[name] = maker()
    return _backends[name]


@contextmanager
def one_thread(backend: Backend) -> Iterator[None]:
    """Rendering and tensor operations within the block use one thread.

    For many small pieces of work: on a busy machine, waiting for a second thread takes ten times longer.
    """
    with torch_threads(1), backend.threads(1):
        yield
