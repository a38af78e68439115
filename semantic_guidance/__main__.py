"""``python -m semantic_guidance``: the command line."""

from semantic_guidance.apps.cli.main import program

program()
