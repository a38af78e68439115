"""``semantic-guidance train-renderer``: a network learns to draw strokes."""

from __future__ import annotations

import argparse

from semantic_guidance.core.shown import printable

SUMMARY = "teach a network to draw strokes"
SMALLER = "a smaller --batch-size"

EXAMPLES = """examples:
  semantic-guidance train-renderer
  semantic-guidance train-renderer --steps 1000 --learning_rates 1e-3,1e-4,1e-5 --output model/quick"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: one for each field of the configuration."""
    import dataclasses

    from semantic_guidance.apps.cli.flags import add_flags
    from semantic_guidance.learning.neural_renderer import RendererConfig

    parser.description = (
        "Trains the neural renderer of Learning to Paint on strokes drawn by the exact renderer.\n"
        "Nothing here needs it: the exact renderer is faster. It is for comparison."
    )
    parser.epilog = EXAMPLES
    add_flags(parser, dataclasses.fields(RendererConfig))


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    from semantic_guidance.apps.cli.flags import of_flag
    from semantic_guidance.learning.neural_renderer import RendererConfig, train_renderer

    values = {name: value for name, value in vars(args).items() if name != "command"}
    try:
        config = RendererConfig(**values)
    except ValueError as error:
        raise of_flag(error) from None
    print(printable(train_renderer(config)))
    return 0
