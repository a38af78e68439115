"""From a mask to its objects, each an instance of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from semantic_guidance.core.check import check_shape
from semantic_guidance.core.guidance import Instance
from semantic_guidance.guidance.refine import components

_MAX_INSTANCES = 8


def split_instances(mask: Tensor, most: int = _MAX_INSTANCES) -> tuple[Instance, ...]:
    """The separate objects of a mask ``[1, H, W]`` in [0, 1], largest first, small ones dropped."""
    parts = components(mask[0].detach().float().cpu().numpy())
    planes = (torch.from_numpy(part)[None].to(mask.device) for part in parts[:most])
    return tuple(Instance.from_mask(plane) for plane in planes)


def given_instances(mask: Tensor) -> tuple[Instance, ...]:
    """The objects of a mask ``[1, H, W]`` that a person gave; small and surplus parts belong to the last one.

    Raises:
        ValueError: no pixel of the mask is above one half.
    """
    first = split_instances(mask)[:-1]
    rest = mask.float()
    for instance in first:
        rest = (rest - instance.mask).clamp(min=0)
    return (*first, Instance.from_mask(rest))


def told_apart(mask: Tensor, objects: Tensor | None) -> tuple[Instance, ...]:
    """The objects of a mask ``[1, H, W]``, or those ``[N, H, W]`` that a person tells apart.

    Of those there are at most eight, largest first; the last one is all that the others leave. Several that
    are the same are one.

    Raises:
        ValueError: the shapes differ, or no pixel of the mask, or of any of the objects, is above one half.
    """
    if objects is None:
        return given_instances(mask)
    check_shape("objects", objects, len(objects), *mask.shape[1:])
    areas = objects.flatten(1).sum(dim=1)
    ordered = [objects[n][None] for n in torch.sort(areas, descending=True, stable=True).indices.tolist()]
    ordered = [plane for plane in ordered if bool((plane > 0.5).any())]
    ordered = [each for n, each in enumerate(ordered) if n == 0 or not torch.equal(each, ordered[n - 1])]
    most = _MAX_INSTANCES
    if len(ordered) > most:
        ordered = [*ordered[: most - 1], torch.cat(ordered[most - 1 :]).sum(dim=0, keepdim=True).clamp(0, 1)]
    if not ordered:
        raise ValueError("mask is empty, wanted at least one pixel above 0.5")
    return tuple(Instance.from_mask(plane) for plane in ordered)
