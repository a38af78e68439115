"""``semantic-guidance train-agent``: a window agent, such as those that ship, learns to paint."""

from __future__ import annotations

import argparse
import dataclasses

from semantic_guidance.apps.cli.flags import add_flags, flag_values
from semantic_guidance.learning.window.config import WindowTrainingConfig

SUMMARY = "teach an agent as those that ship were taught"

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
        "Writes to OUT: agent.safetensors for 'paint --agent', the checkpoint last.pt, and log.jsonl. A run\n"
        "that was stopped goes on if the same command is given again."
    )
    parser.epilog = EXAMPLES
    add_flags(parser, dataclasses.fields(WindowTrainingConfig))
    parser.add_argument(
        "--finish",
        action="store_true",
        help="train no more: write OUT/agent.safetensors from OUT/last.pt",
    )


def run(args: argparse.Namespace) -> int:
    """Train, or finish what was trained; returns the exit status."""
    from semantic_guidance.learning.window.train import train_window_agent, write_agent

    config = WindowTrainingConfig(**flag_values(args, WindowTrainingConfig))
    print(write_agent(config.out, config.unguided) if args.finish else train_window_agent(config))
    return 0
