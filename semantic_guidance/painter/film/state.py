"""What a film remembers, as arrays and JSON values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from semantic_guidance.painting.medium import Tools


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
