"""A command: ``semantic-guidance count STROKES``."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

SUMMARY = "count the strokes of a painting, object by object"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("strokes", metavar="STROKES", type=Path, help="the file of strokes, NAME.json")


def run(args: argparse.Namespace) -> int:
    """Count; returns the exit status. What takes time to import is imported here, not for the help."""
    from semantic_guidance import read_strokes

    counts: Counter[str] = Counter()
    for layer in read_strokes(args.strokes).layers:
        name = f"object {layer.instance + 1}" if layer.level == "foreground" else "background"
        counts[name] += len(layer.strokes)
    for name, count in counts.items():
        print(f"{name}: {count}")
    return 0
