"""Focus: which pixels of an object make a classifier recognise it.

Guided backpropagation (Springenberg et al. 2015, arXiv 1412.6806) is the gradient of the winning class's
score with respect to the input, where every ReLU passes only positive gradients. It is sharp, but
speckles. The focus is its average over a few shifted and mirrored copies (as SmoothGrad's over noise, Smilkov
et al. 2017, arXiv 1706.03825), a little smoothed, and squared, which keeps it to what stands out. Class
activation maps were tried beside it and follow contrast more than the class (Adebayo et al. 2018, arXiv
1810.03292). `runs/focus` has what was compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semantic_guidance.core.guidance import Instance
from semantic_guidance.core.resample import resample
from semantic_guidance.guidance.classifier import folded_classifier
from semantic_guidance.guidance.efficientnet import normalise

_RECTIFIERS: frozenset[Callable[..., Tensor]] = frozenset(
    {
        *(torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu, F.relu_),
        *(F.relu6, F.hardtanh, F.hardtanh_, F.leaky_relu, F.leaky_relu_, F.rrelu, F.prelu, torch.prelu),
        *(F.elu, F.elu_, F.celu, F.selu, F.gelu, F.silu, F.mish, F.hardswish, F.softplus),
    }
)


_SMOOTHING = 0.01  # of the square in which the classifier sees an object: standard deviation
_MOVES = ((5, 7, False), (-5, -7, True), (5, 7, True), (-5, -7, False))
"""How the classifier sees an object's copies: shifted by pixels (down, right), and mirrored or not."""
_MARGIN = 8  # pixels of the square that are left round the object, more than copies are shifted
_MOST = 8  # objects that get a focus, and copies of all of them that the classifier sees


class _OnlyPositive(TorchFunctionMode):
    """While active, what flows back into the output of any ReLU-like function is cut to its positive part.

    It catches the functions, not the modules: modules used twice, in-place ones and plain function calls are
    all alike to it, and the model needs no hooks.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in _RECTIFIERS and isinstance(out, Tensor) and out.requires_grad:
            out.register_hook(lambda grad: grad.clamp(min=0))
        return out


@contextmanager
def guided_relus(model: nn.Module) -> Iterator[None]:
    """Within this context, `model` is in eval mode and its forward passes use guided backpropagation.

    Afterwards the model is as it was: no hook remains, and each module is in train or eval mode as before.
    Functions compiled or scripted beforehand cannot be caught.

    Args:
        model: any network with ReLU, ReLU6, LeakyReLU, ELU, GELU, SiLU or the like, as modules or functions.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with _OnlyPositive():
            yield
    finally:
        for module, training in modes:
            module.training = training


def guided_backprop(model: nn.Module, x: Tensor, classes: Tensor | None = None) -> Tensor:
    """Guided gradients of each picture's class score with respect to the picture.

    Args:
        model: maps ``[B, 3, H, W]`` to logits ``[B, classes]``, or to a tuple whose first entry is that. Its
            parameters, their gradients, its buffers and its mode stay as they are.
        x: ``[B, 3, H, W]``, as the model wants it (normalised).
        classes: ``[B]`` integer class per picture; by default the winning one.

    Returns:
        ``[B, 3, H, W]`` gradients.

    Raises:
        ValueError: a shape is not as above, or the output does not depend on the input.
    """
    return _guided(model, x, lambda logits: logits.argmax(1) if classes is None else classes)


def _guided(model: nn.Module, x: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
    """`guided_backprop` for the classes ``[B]`` that are chosen from logits ``[B, classes]``."""
    if x.ndim != 4:
        raise ValueError(f"x has shape {list(x.shape)}, wanted [batch, channels, height, width]")
    with torch.inference_mode(False), torch.enable_grad(), guided_relus(model):
        leaf = x.detach().clone().requires_grad_(True)
        # A model may start with an in-place activation, which must not meet a leaf.
        logits = model(leaf * 1)
        logits = logits[0] if isinstance(logits, tuple | list) else logits
        if logits.ndim != 2 or len(logits) != len(x):
            raise ValueError(f"model gives shape {list(logits.shape)}, wanted [{len(x)}, classes]")
        if not logits.requires_grad:
            raise ValueError("model's output does not depend on x, wanted a differentiable classifier")
        chosen = choose(logits.detach()).to(logits.device).long()
        score = logits.gather(1, chosen[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, leaf)
    return gradient


def saliency(gradient: Tensor) -> Tensor:
    """Gradients ``[B, 3, H, W]`` as one plane each ``[B, 1, H, W]`` in [0, 1].

    The sum of absolute values over the channels, scaled from its minimum to its 99th percentile.
    """
    plane = gradient.abs().sum(1, keepdim=True)
    flat = plane.flatten(1)
    low = flat.amin(1)
    rank = max(1, round(0.99 * flat.shape[1]))
    high = flat.kthvalue(rank, dim=1).values
    # The percentile of a map that is zero nearly everywhere is zero: then use the maximum.
    high = torch.where(high > low, high, flat.amax(1))
    span = (high - low).clamp(min=1e-12)[:, None, None, None]
    return ((plane - low[:, None, None, None]) / span).clamp(0, 1)


def _crop_object(image: Tensor, instance: Instance, side: int) -> tuple[Tensor, tuple[int, int, int, int]]:
    """The object on grey in the middle of a square ``[3, side, side]``, and its window (x, y, w, h)."""
    height, width = image.shape[-2:]
    x, y, w, h = instance.box
    left, top = max(0, int(x)), max(0, int(y))
    right, bottom = min(width, max(left + 1, round(x + w))), min(height, max(top + 1, round(y + h)))
    crop, mask = image[:, top:bottom, left:right], instance.mask[:, top:bottom, left:right]
    crop = crop * mask + 0.5 * (1 - mask)
    window = (left, top, right - left, bottom - top)
    oy, ox, high, wide = _inner(window, side)
    square = torch.full((3, side, side), 0.5, dtype=crop.dtype, device=crop.device)
    square[:, oy : oy + high, ox : ox + wide] = resample(crop, high, wide).clamp(0, 1)
    return square, window


def _inner(window: tuple[int, int, int, int], side: int) -> tuple[int, int, int, int]:
    """Top, left, height and width of what a window (x, y, w, h) is in its square."""
    _, _, w, h = window
    zoom = max(1, side - 2 * _MARGIN) / max(h, w)
    high, wide = max(1, round(h * zoom)), max(1, round(w * zoom))
    return (side - high) // 2, (side - wide) // 2, high, wide


def _moved(squares: Tensor, move: tuple[int, int, bool]) -> Tensor:
    """``[B, C, S, S]`` shifted (down, right) and then, if so, mirrored; nothing of an object goes round."""
    copy = squares.roll(move[:2], (-2, -1))
    return copy.flip(-1) if move[2] else copy


def _moved_back(squares: Tensor, move: tuple[int, int, bool]) -> Tensor:
    """Inverse of `_moved`."""
    copy = squares.flip(-1) if move[2] else squares
    return copy.roll((-move[0], -move[1]), (-2, -1))


def _smoothed(planes: Tensor, deviation: float) -> Tensor:
    """``[B, 1, S, S]`` under a Gaussian of that standard deviation in pixels."""
    reach = max(1, round(3 * deviation))
    steps = torch.arange(-reach, reach + 1, dtype=planes.dtype, device=planes.device)
    kernel = torch.exp(-((steps / deviation) ** 2) / 2)
    kernel = kernel / kernel.sum()
    down = F.conv2d(planes, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return F.conv2d(down, kernel.view(1, 1, 1, -1), padding=(0, reach))


def _evidence(model: nn.Module, prepare: Callable[[Tensor], Tensor], squares: Tensor, among: int) -> Tensor:
    """Where a classifier recognises the objects in squares ``[N, 3, S, S]``: ``[N, 1, S, S]``, at least 0."""
    count, side = len(squares), squares.shape[-1]
    moves = _MOVES[: max(1, _MOST // max(count, among))]

    def together(logits: Tensor) -> Tensor:
        """The class that all copies of an object win on average, for each copy."""
        return logits.unflatten(0, (len(moves), count)).mean(0).argmax(1).repeat(len(moves))

    copies = prepare(torch.cat([_moved(squares, move) for move in moves]))
    planes = saliency(_guided(model, copies, together))
    back = [_moved_back(part, move) for part, move in zip(planes.split(count), moves, strict=True)]
    return _smoothed(torch.stack(back).mean(0), _SMOOTHING * side).square()


def focus_map(
    image: Tensor,
    instances: Sequence[Instance],
    model: nn.Module | None = None,
    prepare: Callable[[Tensor], Tensor] = normalise,
    side: int = 224,
    among: int = 1,
) -> Tensor:
    """Each pixel's importance for recognising the object it belongs to.

    The classifier sees up to four copies of each object, and at most eight pictures in all, so that the cost
    does not grow with the number of objects.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        instances: objects, with masks of the image's size; those after the eighth get no focus.
        model: classifier, see `guided_backprop`; by default the ImageNet one.
        prepare: from RGB in [0, 1] to what the model takes.
        side: of the square in which it sees an object, in pixels.
        among: how many objects there are in all, if these are some of them: the more, the fewer copies.

    Returns:
        ``[1, H, W]`` in [0, 1], zero where no mask reaches one half; one at a hundredth of each object.
    """
    focus = torch.zeros_like(image[:1])
    if not instances:
        return focus
    instances = instances[:_MOST]
    model = folded_classifier() if model is None else model
    squares, windows = zip(*(_crop_object(image, instance, side) for instance in instances), strict=True)
    maps = _evidence(model, prepare, torch.stack(squares), among)
    for plane, instance, window in zip(maps, instances, windows, strict=True):
        x, y, w, h = window
        oy, ox, high, wide = _inner(window, side)
        # Antialiased, so that a small object keeps its peaks in proportion.
        placed = resample(plane[:, oy : oy + high, ox : ox + wide], h, w).clamp(min=0)
        solid = instance.mask[:, y : y + h, x : x + w] > 0.5
        inside = placed[solid]
        if not inside.numel():
            continue
        # Where there is next to nothing but a few points, they are not all the same.
        rank = inside.kthvalue(max(1, round(0.99 * inside.numel()))).values
        most = torch.maximum(rank, inside.max() / 8).clamp(min=1e-12)
        part = focus[:, y : y + h, x : x + w]
        focus[:, y : y + h, x : x + w] = torch.maximum(part, (placed / most).clamp(0, 1) * solid)
    return focus
