"""What runs tell of their end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from semantic_guidance.core.shown import printable

LEARNED_FROM = ("images", "target", "mask", "focus", "grid", "planes")
"""What is given to networks, by the names that it has where they learn."""

STOPPING = "what is under way is finished and saved; another signal ends it at once"
"""Told as soon as a run is to stop."""


def not_finite(given: Mapping[str, Any]) -> str | None:
    """What of the pictures holds infinity or NaN, if anything does: the reason is then no learning rate."""
    for name in LEARNED_FROM:
        values = given.get(name)
        if isinstance(values, Tensor) and not bool(values.isfinite().all()):
            return f"their {'place in the picture (box)' if name == 'grid' else name}"
    return None


def gone_on_with(step: int, command: str, folder: Path, processes: int = 1) -> str:
    """What is told when a run has stopped.

    Args:
        step: that it has reached.
        command: what goes on with it, without the folder.
        folder: of the run.
        processes: that torchrun has started.
    """
    program = "semantic-guidance"
    if processes > 1:
        program = f"torchrun --nproc-per-node {processes} -m semantic_guidance"
    place = shlex.quote(printable(folder))
    return f"stopped after step {step}, saved; go on with: {program} {command} {place}"
