"""``semantic-guidance train-renderer``: a network learns to draw strokes."""

from __future__ import annotations

import argparse

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable

SUMMARY = "teach a network to draw strokes"
SMALLER = "a smaller --batch-size"

EXAMPLES = """examples:
  semantic-guidance train-renderer
  semantic-guidance train-renderer --steps 1000 --learning_rates 1e-3,1e-4,1e-5 --output model/quick
  semantic-guidance train-renderer --output model/quick --steps 2000"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: one for each field of the configuration."""
    import dataclasses

    from semantic_guidance.apps.cli.flags import add_config_flag, add_flags
    from semantic_guidance.learning.neural_renderer import RendererConfig

    parser.description = (
        "Trains the neural renderer of Learning to Paint on strokes drawn by the exact renderer.\n"
        "Nothing here needs it: the exact renderer is faster. It is for comparison. Writes to OUTPUT:\n"
        "renderer.pkl, the checkpoint last.pt, log for TensorBoard, and config.toml, all settings, for\n"
        "--config. A run that was stopped goes on by --output alone. SIGTERM or Ctrl-C: it is saved."
    )
    parser.epilog = EXAMPLES
    add_config_flag(parser)
    add_flags(parser, dataclasses.fields(RendererConfig), over_file=True)


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    from semantic_guidance.apps.cli.flags import of_flag, with_run
    from semantic_guidance.learning.neural_renderer import RendererConfig, train_renderer

    in_file, given = with_run(args, RendererConfig, "output")
    try:
        RendererConfig(**in_file)
    except ValueError as error:
        raise InputError(f"{args.config}: {error}") from None
    try:
        config = RendererConfig(**in_file | given)
    except ValueError as error:
        raise of_flag(error) from None
    print(printable(train_renderer(config)))
    return 0
