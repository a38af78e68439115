"""``semantic-guidance preprocess``: masks, focus maps and boxes for a whole data set."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

from semantic_guidance.apps.cli.flags import add_flags
from semantic_guidance.core.engines.options import ray_option
from semantic_guidance.core.machine import cores
from semantic_guidance.core.options import option

SUMMARY = "find the objects of a whole data set"
SMALLER = "fewer --workers or smaller pictures"
SKIPPED = 1  # exit status

EXAMPLES = """examples:
  semantic-guidance preprocess --dataset cub200 --data data
      reads data/cub200/CUB_200_2011/images.txt; pictures done before are not done again
  semantic-guidance preprocess --dataset cars196 --data cars
      looks for each car inside its box
  semantic-guidance preprocess --dataset vkitti --data vkitti --variation fog
      keeps the data set's own masks, if they are there, and finds focus maps for them
  semantic-guidance preprocess --dataset folder --data photographs"""


@dataclass(frozen=True, kw_only=True)
class PreprocessOptions:
    """Which data set, and how."""

    dataset: str = option(
        "cub200",
        "layout of the data: cub200, cars196, vkitti or folder",
        metavar="NAME",
        choices=("cub200", "cars196", "vkitti", "folder"),
    )
    variation: str = option("clone", "of vkitti, as for train", metavar="NAMES")
    workers: int | None = option(
        None,
        "processes (default: as many as cores, at most 8; with --ray as many as the cluster has cores for)",
        metavar="N",
        min=1,
        max=1024,
    )
    ray: str | None = ray_option()
    overwrite: bool = option(False, "redo pictures that are already done")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Finds the object of every picture of a data set: writes masks (segmentations_pred), focus maps\n"
        "(gbp_global) and boxes (bounding_boxes_pred.txt) into its folder, where train finds them. Replaces\n"
        "nothing but what it made itself."
    )
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="folder of the data set, as for train"
    )
    add_flags(parser, dataclasses.fields(PreprocessOptions))


def run(args: argparse.Namespace) -> int:
    """Preprocess; returns the exit status: 0, or 1 if a picture was skipped."""
    from semantic_guidance.learning.data.preprocess import preprocess

    engine, workers = None, args.workers or min(cores(), 8)
    if args.ray is not None:
        from semantic_guidance.core.engines.ray_engine import RayEngine

        engine = RayEngine(args.ray, args.workers)
    count, skipped = preprocess(args.data, workers, args.overwrite, args.dataset, args.variation, engine)
    print(f"{count - skipped} of {count} pictures done, {skipped} skipped", file=sys.stderr)
    return SKIPPED if skipped else 0
