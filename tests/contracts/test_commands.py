"""Every command goes through the same tests."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest

from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.plugins import COMMANDS

NAMES = COMMANDS.names()
SHORT = {"train": ("-n", "-g", "-nr")}
"""Short flags of the reference code's commands."""

HEAVY = {"train", "train-renderer"}
"""Their flags are the fields of configurations that lie beside what they configure, and that needs torch."""


def parser_of(name: str) -> argparse.ArgumentParser:
    """A parser with the command's arguments."""
    parser = cli.Parser(prog=name)
    COMMANDS.get(name).add_arguments(parser)
    return parser


@pytest.mark.parametrize("name", NAMES)
def test_its_summary_is_a_short_line(name):
    summary = COMMANDS.get(name).SUMMARY
    assert 0 < len(summary) <= 60
    assert summary == summary.strip()
    assert "\n" not in summary
    assert summary[0].islower()
    assert not summary.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_explained_once(name):
    actions = parser_of(name)._actions
    flags = [flag for action in actions for flag in action.option_strings]
    assert len(flags) == len(set(flags))
    assert all(action.help and action.help.strip() for action in actions)
    for flag in flags:
        known = flag == "-h" or flag in SHORT.get(name, ())
        assert known or (flag.startswith("--") and "_" not in flag)


@pytest.mark.parametrize("name", NAMES)
def test_its_help(name, capsys):
    assert cli.main([name, "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"usage: semantic-guidance {name} ")
    assert max(map(len, said.out.splitlines())) < 140
    assert "%%" not in said.out


def takes_any_number(name: str) -> bool:
    """Whether no word is too many for a command, as for that which paints many pictures."""
    return any(action.nargs == "+" for action in parser_of(name)._actions if not action.option_strings)


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_that_there_is_not(name, capsys):
    actions = parser_of(name)._actions
    words = ["x"] * sum(not action.option_strings for action in actions)
    flags = [action.option_strings[0] for action in actions if action.option_strings and action.required]
    needed = [word for flag in flags for word in (flag, "x")]
    assert cli.main([name, *words, *needed, "--no-such-flag"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("semantic-guidance: error: ")
    assert "--no-such-flag" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", [name for name in NAMES if not takes_any_number(name)])
def test_a_word_too_many(name, capsys):
    words = ["x"] * (1 + sum(not action.option_strings for action in parser_of(name)._actions))
    assert cli.main([name, *words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_help_comes_without_waiting_for_torch():
    code = """
import contextlib, io, json, sys
from semantic_guidance.apps.cli.main import main
loaded = {}
for name in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        main([name, "--help"])
    loaded[name] = sorted({"torch", "numba", "llvmlite", "cv2", "av"} & set(sys.modules))
print(json.dumps(loaded))
"""
    light = [name for name in COMMANDS.shipped if name not in HEAVY]
    command = [sys.executable, "-c", code, json.dumps(["--help", *light])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {name: [] for name in ["--help", *light]}
    assert "paint" in light
