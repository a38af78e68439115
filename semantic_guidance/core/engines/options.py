"""The option of all commands whose work can be spread over a cluster. Imports nothing large."""

from __future__ import annotations

from typing import Any

from semantic_guidance.core.options import option


def ray_option(group: str | None = None) -> Any:
    """The field of the option ``--ray``; None if work stays on this machine."""
    return option(
        None,
        "work on a Ray cluster, whose nodes must have this package and the same files: local starts one on"
        " this machine, auto takes the one that this machine is a node of, HOST:PORT the one whose head is"
        " there; needs the extra 'cluster'",
        metavar="ADDRESS",
        group=group,
    )
