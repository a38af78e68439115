"""Focus: which pixels of an object make a classifier recognise it, by guided backpropagation.

Guided backpropagation (Springenberg et al. 2015, arXiv 1412.6806) is the gradient of the winning class's
score with respect to the input, where every ReLU passes only positive gradients.
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
        chosen = logits.argmax(1) if classes is None else classes.to(logits.device).long()
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
    """The object on grey, enlarged to fit a square, ``[3, side, side]``, and its window (x, y, w, h)."""
    height, width = image.shape[-2:]
    x, y, w, h = instance.box
    left, top = max(0, int(x)), max(0, int(y))
    right, bottom = min(width, max(left + 1, round(x + w))), min(height, max(top + 1, round(y + h)))
    crop, mask = image[:, top:bottom, left:right], instance.mask[:, top:bottom, left:right]
    crop = crop * mask + 0.5 * (1 - mask)
    h, w = bottom - top, right - left
    zoom = side / max(h, w)
    size = (max(1, round(h * zoom)), max(1, round(w * zoom)))
    crop = resample(crop, *size).clamp(0, 1)
    square = torch.full((3, side, side), 0.5, dtype=crop.dtype, device=crop.device)
    oy, ox = (side - size[0]) // 2, (side - size[1]) // 2
    square[:, oy : oy + size[0], ox : ox + size[1]] = crop
    return square, (left, top, right - left, bottom - top)


def focus_map(
    image: Tensor,
    instances: Sequence[Instance],
    model: nn.Module | None = None,
    prepare: Callable[[Tensor], Tensor] = normalise,
    side: int = 224,
) -> Tensor:
    """Each pixel's importance for recognising the object it belongs to.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        instances: objects, with masks of the image's size.
        model: classifier, see `guided_backprop`; by default the ImageNet one.
        prepare: from RGB in [0, 1] to what the model takes.
        side: of the square that the object's crop is enlarged to, in pixels.

    Returns:
        ``[1, H, W]`` in [0, 1], zero where no mask reaches one half.
    """
    focus = torch.zeros_like(image[:1])
    if not instances:
        return focus
    model = folded_classifier() if model is None else model
    crops, windows = zip(*(_crop_object(image, instance, side) for instance in instances), strict=True)
    gradients = guided_backprop(model, prepare(torch.stack(crops))).abs()
    # Convolutions with stride 2 leave a checkerboard; it is the classifier's, not the picture's.
    kernel = torch.tensor([1.0, 2.0, 1.0], dtype=gradients.dtype, device=gradients.device) / 4
    kernel = (kernel[:, None] * kernel).expand(gradients.shape[1], 1, 3, 3)
    maps = saliency(F.conv2d(gradients, kernel, padding=1, groups=gradients.shape[1]))
    for plane, instance, (x, y, w, h) in zip(maps, instances, windows, strict=True):
        zoom = side / max(h, w)
        inner_h, inner_w = max(1, round(h * zoom)), max(1, round(w * zoom))
        oy, ox = (side - inner_h) // 2, (side - inner_w) // 2
        inner = plane[None, :, oy : oy + inner_h, ox : ox + inner_w]
        # Antialiased, so that a small object keeps the crop's peaks in proportion.
        placed = resample(inner[0], h, w).clamp(0, 1)
        solid = instance.mask[:, y : y + h, x : x + w] > 0.5
        window = focus[:, y : y + h, x : x + w]
        focus[:, y : y + h, x : x + w] = torch.maximum(window, placed * solid)
    return focus
