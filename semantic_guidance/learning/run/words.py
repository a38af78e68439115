"""What runs tell of their end."""

from __future__ import annotations

import shlex
from pathlib import Path

from semantic_guidance.core.shown import printable

STOPPING = "what is under way is finished and saved; another signal ends it at once"
"""Told as soon as a run is to stop."""


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
