"""What a film remembers, as arrays and JSON values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.painting.medium import Tools

INSTANCE = ("box", "kind", "confidence", "salience", "share")


def guidance_state(known: Guidance) -> dict[str, Any]:
    """Guidance by name."""
    masks = [each.mask for each in known.instances]
    return {
        "known.mask": known.mask.numpy(),
        "known.focus": known.focus.numpy(),
        "known.masks": torch.stack(masks).numpy() if masks else np.empty((0, *known.mask.shape), np.float32),
        "known.instances": [{name: getattr(each, name) for name in INSTANCE} for each in known.instances],
    }


def guidance_of(state: Mapping[str, Any]) -> Guidance:
    """Inverse of `guidance_state`."""
    instances = []
    for mask, each in zip(state["known.masks"], state["known.instances"], strict=True):
        x, y, width, height = each["box"]
        instances.append(Instance(_tensor(mask), **{**each, "box": (x, y, width, height)}))
    return Guidance(_tensor(state["known.mask"]), _tensor(state["known.focus"]), tuple(instances))


def tools_state(tools: Tools | None) -> dict[str, Any] | None:
    """Palette and brushes by name."""
    if tools is None:
        return None
    return {
        "colors": None if tools.colors is None else tools.colors.tolist(),
        "radii": None if tools.radii is None else tools.radii.tolist(),
        "min_radius": tools.min_radius,
        "max_radius": None if tools.max_radius == math.inf else tools.max_radius,
        "opaque": tools.opaque,
        "mixed": tools.mixed,
    }


def tools_of(state: Mapping[str, Any] | None) -> Tools | None:
    """Inverse of `tools_state`."""
    if state is None:
        return None
    colors, radii, most = state["colors"], state["radii"], state["max_radius"]
    return Tools(
        colors=None if colors is None else torch.tensor(colors, dtype=torch.float32),
        radii=None if radii is None else torch.tensor(radii, dtype=torch.float32),
        min_radius=state["min_radius"],
        max_radius=math.inf if most is None else most,
        opaque=state["opaque"],
        mixed=state["mixed"],
    )


def _tensor(values: Any) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))
