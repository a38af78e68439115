"""``semantic-guidance train-segmenter``: a network learns to find the objects of pictures."""

from __future__ import annotations

import argparse
import dataclasses

from semantic_guidance.apps.cli.flags import add_config_flag, add_flags, with_run
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.segmenter.config import SegmenterTrainingConfig

SUMMARY = "teach a network to find objects"
SMALLER = "smaller --batch-size or --size"

EXAMPLES = """examples:
  python -m semantic_guidance.learning.data.cutouts.rebuild_pack PACK
  semantic-guidance train-segmenter --pack PACK --out first
  semantic-guidance train-segmenter --pack PACK --out second --init first/last.pt --real PHOTOS --lr 5e-4
  semantic-guidance train-segmenter --out second --finish --blend first/last.pt --share 0.2"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: one for each field of the configuration, and what to do."""
    parser.description = (
        "Trains the segmenter on composed pictures, and on photographs with masks if there are any.\n"
        "Writes to OUT: segmenter.safetensors for 'Segmenter.load' in Python, the checkpoint last.pt,\n"
        "log.jsonl, and config.toml, all settings, for --config. A run that was stopped goes on by --out\n"
        "alone, with the settings that it was begun with. SIGTERM or Ctrl-C: what is under way is saved."
    )
    parser.epilog = EXAMPLES
    add_config_flag(parser)
    add_flags(parser, dataclasses.fields(SegmenterTrainingConfig), over_file=True)
    parser.add_argument(
        "--finish",
        action="store_true",
        help="train no more: write OUT/segmenter.safetensors from OUT/last.pt",
    )


def run(args: argparse.Namespace) -> int:
    """Train, or finish what was trained; returns the exit status."""
    from semantic_guidance.learning.segmenter.train import train_segmenter, write_segmenter

    in_file, given = with_run(args, SegmenterTrainingConfig)
    try:
        SegmenterTrainingConfig(**in_file)
    except ValueError as error:
        raise InputError(f"{args.config}: {error}") from None
    config = SegmenterTrainingConfig(**in_file | given)
    if args.finish:
        print(printable(write_segmenter(config.out, config.blend, config.share)))
    else:
        print(printable(train_segmenter(config)))
    return 0
