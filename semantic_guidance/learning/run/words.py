"""What runs tell of their end."""

from __future__ import annotations

STOPPING = "what is under way is finished and saved; another signal ends it at once"
"""Told as soon as a run is to stop."""


def gone_on_with(step: int, command: str) -> str:
    """What is told when a run has stopped.

    Args:
        step: that it has reached.
        command: what goes on with it.
    """
    return f"stopped after step {step}, saved; go on with: semantic-guidance {command}"
