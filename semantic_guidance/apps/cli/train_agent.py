"""``semantic-guidance train-agent``: a window agent, such as those that ship, learns to paint."""

from __future__ import annotations

import argparse
import dataclasses

from semantic_guidance.apps.cli.flags import add_config_flag, add_flags, with_run
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.window.config import WindowTrainingConfig

SUMMARY = "teach an agent as those that ship were taught"
SMALLER = "smaller --batch-size or --horizon"

EXAMPLES = """examples:
  python -m semantic_guidance.learning.data.cutouts.rebuild_pack PACK
  semantic-guidance train-agent --pack PACK --out mine --minutes 60
  semantic-guidance train-agent --pack PACK --out plain --init mine/last.pt --unguided --steps 3600 --lr 3e-4
  semantic-guidance train-agent --out mine --finish
  semantic-guidance paint cat.jpg --agent mine/agent.safetensors"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: one for each field of the configuration, and what to do."""
    parser.description = (
        "Trains an agent that paints a picture window by window, by differentiating through the renderer.\n"
        "Writes to OUT: agent.safetensors for 'paint --agent', the checkpoint last.pt, log.jsonl, and\n"
        "config.toml, all settings, for --config. A run that was stopped goes on by --out alone, with the\n"
        "settings that it was begun with. SIGTERM or Ctrl-C: what is under way is saved."
    )
    parser.epilog = EXAMPLES
    add_config_flag(parser)
    add_flags(parser, dataclasses.fields(WindowTrainingConfig), over_file=True)
    parser.add_argument(
        "--finish",
        action="store_true",
        help="train no more: write OUT/agent.safetensors from OUT/last.pt",
    )


def run(args: argparse.Namespace) -> int:
    """Train, or finish what was trained; returns the exit status."""
    from semantic_guidance.learning.window.train import train_window_agent, write_agent

    in_file, given = with_run(args, WindowTrainingConfig)
    try:
        WindowTrainingConfig(**in_file)
    except ValueError as error:
        raise InputError(f"{args.config}: {error}") from None
    config = WindowTrainingConfig(**in_file | given)
    written = write_agent(config.out, config.unguided) if args.finish else train_window_agent(config)
    print(printable(written))
    return 0
