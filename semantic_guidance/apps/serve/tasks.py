"""What workers do, by name. This is where the server's processes load torch: never import it in the server.

A task is a dict of JSON values; what it returns is another one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from semantic_guidance.agents.files import load_agent
from semantic_guidance.apps.serve.desk import Desk
from semantic_guidance.apps.serve.exporting import write_file
from semantic_guidance.apps.serve.looking import decode, look, ready_to_look
from semantic_guidance.apps.serve.painting import paint, ready_to_paint, repaint_region, restore
from semantic_guidance.apps.serve.projects import extract
from semantic_guidance.apps.serve.records import Limits
from semantic_guidance.guidance.classifier import folded_classifier, kind_evidence
from semantic_guidance.guidance.clicks import default_clicks
from semantic_guidance.guidance.segmenter import default_segmenter
from semantic_guidance.renderer.backends.cpu.native import entry


def _extracted(task: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Unpack a project."""
    return {"files": extract(Path(task["path"]), Path(task["folder"]), Limits(**task["limits"]))}


TASKS: dict[str, Callable[[dict[str, Any], Desk], dict[str, Any]]] = {
    "decode": decode,
    "look": look,
    "paint": paint,
    "repaint": repaint_region,
    "file": write_file,
    "extract": _extracted,
    "restore": restore,
}


def load() -> None:
    """Load what all workers share, without computing anything."""
    entry()
    for agent in ("planner", "semantic"):
        load_agent(agent)
    default_segmenter()
    default_clicks()
    folded_classifier()
    kind_evidence()


def warm_up(lane: str) -> None:
    """Load what a lane's tasks need, so that the first one need not wait."""
    if lane == "paint":
        ready_to_paint()
    elif lane == "look":
        ready_to_look()
