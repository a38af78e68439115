"""What is known about a picture, drawn over it: masks, boxes and focus."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.images.arrays import resize_array

LONGEST = 1024  # pixels of the overlay's longer side at most
SHADE = 0.35  # brightness of what is not an object
COLORS = ((1.0, 0.85, 0.1), (0.2, 0.85, 1.0), (1.0, 0.4, 0.8), (0.5, 1.0, 0.3))  # of the objects, in turn


def guidance_overlay(image: Tensor, guidance: Guidance) -> Tensor:
    """The picture with its background dimmed, objects outlined and boxed, and the focus glowing red.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        guidance: of the picture, at any size of the same aspect.

    Returns:
        ``[3, h, w]`` in [0, 1], at most `LONGEST` pixels long.
    """
    scale = min(1.0, LONGEST / max(image.shape[1:]))
    height, width = (max(1, round(side * scale)) for side in image.shape[1:])
    guidance = guidance.resized(height, width)
    photo = resize_array(image.permute(1, 2, 0).contiguous().numpy(), height, width)
    picture = torch.from_numpy(photo).reshape(height, width, 3).permute(2, 0, 1)
    glow = 0.65 * guidance.focus
    picture = picture * (SHADE + (1 - SHADE) * guidance.mask) * (1 - glow)
    picture = picture + picture.new_tensor((1.0, 0.15, 0.05)).view(3, 1, 1) * glow
    canvas = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    thick = max(1, round(max(height, width) / 300))
    for index, instance in enumerate(guidance.instances):
        color = COLORS[index % len(COLORS)]
        inside = np.ascontiguousarray((instance.mask[0] > 0.5).numpy().astype(np.uint8))
        outline, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outline, -1, color, thick, cv2.LINE_AA)
        x, y, across, down = instance.box
        corners = (round(x), round(y)), (round(x + across) - 1, round(y + down) - 1)
        cv2.rectangle(canvas, *corners, color, thick)
    return torch.from_numpy(canvas).permute(2, 0, 1).clamp(0, 1)
