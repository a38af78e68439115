"""``semantic-guidance train``: an agent learns to paint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from semantic_guidance.errors import InputError

EXAMPLES = """examples:
  semantic-guidance train --dataset cub200 --data DIR --batch_size=96 --max_eps_len=50 --bundle_size=5 \\
      --use_bilevel --use_gbp --exp_suffix semantic
  semantic-guidance train --dataset folder --data photographs --canvas_size 64 --width 16 --nenv 16
  semantic-guidance train --dataset cub200 --data DIR --exp_suffix semantic ... --resume
  torchrun --nproc-per-node 2 -m semantic_guidance train --dataset cub200 --data DIR"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: one for each field of the configuration."""
    from semantic_guidance.training.config import settings

    parser.description = (
        "Trains a painting agent by model-based DDPG. The defaults are the paper's. Writes to\n"
        "OUTPUT/DATASET/EXP_SUFFIX: checkpoints, actor.safetensors, and log for TensorBoard."
    )
    parser.epilog = EXAMPLES
    for setting in settings():
        flag, default = f"--{setting.name.replace('_', '-')}", setting.default
        text = str(setting.metadata["help"])
        if default is False:
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(
                flag,
                type=_reader(default),
                default=default,
                choices=setting.metadata.get("choices"),
                metavar="NAME" if isinstance(default, str | None) else "N",
                help=f"{text} (default: {_shown(default)})",
            )


def _reader(default: Any) -> Callable[[str], Any]:
    """Reads a flag's value as what its default is."""
    if isinstance(default, tuple):
        kind = type(default[0])

        def numbers(word: str) -> tuple[Any, ...]:
            try:
                return tuple(kind(part) for part in word.split(","))
            except ValueError:
                raise argparse.ArgumentTypeError(
                    f"got {word!r}, wanted numbers separated by commas"
                ) from None

        return numbers
    return str if default is None else type(default)


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(f"{number:g}" for number in default)
    return f"{default:.4g}" if isinstance(default, float) else str(default).lower()


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    from semantic_guidance.training.loop import DivergedError, train

    values = {name: value for name, value in vars(args).items() if name != "command"}
    try:
        folder = train(**values)
    except DivergedError as error:
        raise InputError(f"{error}; wanted a lower learning rate, or --resume with another --seed") from None
    print(folder, file=sys.stdout)
    return 0
