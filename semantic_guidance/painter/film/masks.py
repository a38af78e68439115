"""Masks of objects that are followed from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.core.box import box_of
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.images.arrays import resize_array
from semantic_guidance.painter.film.flow import Motion


def followed(known: Guidance, motion: Motion, given: Guidance | None) -> Guidance:
    """What is known of a frame, by what was known of the one before.

    Args:
        known: of the frame before.
        motion: since then.
        given: of the frame, if somebody knows it; the objects are those of the frame before.
    """
    if given is not None and len(given.instances) == len(known.instances):
        return given
    if not known.instances:
        return known
    height, width = known.mask.shape[1:]
    scale = np.float32(width / motion.back.shape[1])
    back = resize_array(motion.back, height, width) * scale
    large = replace(motion, back=back)

    def carried(plane: Tensor) -> Tensor:
        return torch.from_numpy(large.carried(plane[0].numpy()))[None].clamp(0, 1)

    instances = []
    for each in known.instances:
        mask = carried(each.mask)
        instances.append(replace(each, mask=mask, box=box_of(mask[0]) or each.box))
    mask = torch.stack([each.mask for each in instances]).amax(dim=0)
    return Guidance(mask, carried(known.focus), tuple(instances))
