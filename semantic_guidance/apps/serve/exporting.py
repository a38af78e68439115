"""In a worker: a painting's files."""

from __future__ import annotations

from typing import Any

from semantic_guidance.apps.serve.workers import Desk


def write_file(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Write one."""
    raise NotImplementedError
