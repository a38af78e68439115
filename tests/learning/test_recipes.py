"""The recipes in runs/ name commands, flags and files that exist."""

from __future__ import annotations

import re
import shlex

import pytest

from semantic_guidance.apps.cli.main import Parser
from semantic_guidance.core.plugins import COMMANDS
from tests.conftest import ROOT

READMES = sorted((ROOT / "runs").glob("*/README.md"))


def commands(text: str) -> list[list[str]]:
    """The words of each command line of ours, with variables and continued lines put in."""
    text = text.replace("\\\n", " ")
    variables: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        if value := re.match(r"\s*(\w)=\"(.*)\"", line):
            variables[value[1]] = value[2]
        elif line.lstrip().startswith("semantic-guidance "):
            for name, value in variables.items():
                line = line.replace(f"${name} ", f"{value} ")
            found.append(shlex.split(line, comments=True)[1:])
    return found


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_commands_and_files_exist(readme):
    text = readme.read_text(encoding="utf-8")
    for name, *words in commands(text):
        parser = Parser(prog=name)
        COMMANDS.get(name).add_arguments(parser)
        parser.parse_args(
            [re.sub(r"^--[^=]+", lambda flag: flag[0].replace("_", "-"), word) for word in words]
        )
    for name in re.findall(r"semantic-guidance ([a-z-]+)", text):
        assert name in COMMANDS
    for path in re.findall(r"(?<![\w:/])((?:runs|tests|benchmarks|semantic_guidance)/[\w./-]+\w)", text):
        assert (ROOT / path).exists(), path


def test_there_are_recipes_of_what_ships():
    assert {path.parent.name for path in READMES} >= {"window-agents", "segmenter"}
    found = [words for path in READMES for words in commands(path.read_text(encoding="utf-8"))]
    assert sum(words[0] == "train-agent" for words in found) == 4
    assert sum(words[0] == "train-segmenter" for words in found) == 4
