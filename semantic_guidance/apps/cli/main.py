"""The command line: ``semantic-guidance COMMAND ...``.

A command is a module with ``SUMMARY``, ``add_arguments(parser)`` and ``run(args) -> exit status``, and
perhaps ``SMALLER``, what to make smaller where memory is short, known to `core.plugins.COMMANDS`. It is
imported only when it is asked for, and imports what it needs only when it runs, so that help and errors come
at once.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import errno
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from semantic_guidance.apps.options import CLEAR
from semantic_guidance.core.ending import Terminated, clean_end
from semantic_guidance.core.errors import InputError, RoomError
from semantic_guidance.core.memory import out_of_memory
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.plugins import COMMANDS, usable
from semantic_guidance.core.shown import printable
from semantic_guidance.core.version import __version__

PROGRAM = "semantic-guidance"
OPTIONAL = {"--transparent": CLEAR}  # flags whose value may be omitted: the first one is meant
BAD_INPUT, SIGNALLED, INTERRUPTED = 2, 128, 130  # exit statuses

FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO)  # what a disk says that takes no more

DESCRIPTION = "Turns a photograph into a painting, stroke by stroke, and knows what the picture is of."
EPILOG = f"""examples:
  {PROGRAM} paint cat.jpg
  {PROGRAM} paint cat.jpg --strokes 1000 --preset fine --out painted

'{PROGRAM} COMMAND --help' tells more about a command."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises its errors and takes no abbreviations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Reject the command line.

        Raises:
            InputError: always.
        """
        raise InputError(f"{message.removeprefix('argument ')} (see '{self.prog} --help')")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Returns:
        The exit status: 0, 2 for bad input, 130 interrupted, 143 terminated, 129 if the terminal has gone.
    """
    if sys.stderr is None:  # closed, as by `2>&-`
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        with clean_end(), _short_warnings():
            status = _run(_normalised(sys.argv[1:] if argv is None else argv))
            if sys.stdout is not None:
                sys.stdout.flush()
            return status
    except Terminated as signal:
        _complain("terminated" if signal.words is None else signal.words)
        return SIGNALLED + signal.number
    except KeyboardInterrupt as interrupt:
        _complain(str(interrupt.args[0]) if interrupt.args else "interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `... | head`
        _forget_output()
        return 1
    except OptionError as error:
        _complain(f"error: {error.as_flag}")
    except ValueError as error:  # the package's way to say what is wrong, and what is wanted
        _complain(f"error: {str(error).partition(chr(10))[0] or type(error).__name__}")
    except OSError as error:
        # Whatever writes a file names it.
        place = error.filename
        if place is None and error.errno in FULL:
            place = "standard output"
            _forget_output()
        _complain(f"error: {f'{place}: {error.strerror}' if place else error}")
    except Exception as error:
        reason = out_of_memory(error)
        if reason is None:
            raise
        _complain(f"error: out of memory ({reason}): wanted a machine with more")
    return BAD_INPUT


def program() -> NoReturn:
    """The whole program: `main`, and then the end, without taking apart all that was imported.

    That takes a third of a second. Python's threads are joined and functions registered with `atexit` are
    called as always, standard output is flushed; only the interpreter is left to the system. Where somebody
    has registered a function before, as tools that look into programs do, the end is the usual one.
    """
    status: int | None = None

    def leave() -> None:
        if status is None:  # an error nobody expected
            return
        with contextlib.suppress(OSError, ValueError):  # else Python tells what is wrong
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(status)

    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks letters of a name gets their numbers
        sys.stdout.reconfigure(errors="backslashreplace")
    if atexit._ncallbacks() == 0:
        atexit.register(leave)  # the first one, so it is called last
    with clean_end(last=True):
        status = main()
    sys.exit(status)


def _one_line(message: Warning | str, *about: object, **more: object) -> str:
    """A warning as it is told."""
    return f"{PROGRAM}: warning: {printable(message)}\n"


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """While the block runs, a warning is one line."""
    before = warnings.formatwarning
    warnings.formatwarning = _one_line
    try:
        yield
    finally:
        warnings.formatwarning = before


@contextlib.contextmanager
def _told_hints() -> Iterator[None]:
    """While the block runs, what the package logs is one line, too, unless a host program handles it."""
    import logging  # here: help needs none

    log, handler = logging.getLogger("semantic_guidance"), logging.StreamHandler()
    handler.format = lambda record: _one_line(record.getMessage()).rstrip("\n")  # type: ignore[method-assign]
    if log.hasHandlers():
        yield
        return
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _run(argv: list[str]) -> int:
    command = next((word for word in argv if not word.startswith("-")), None)
    parser = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(
        metavar="COMMAND", title="commands", dest="command", parser_class=Parser
    )
    found = (
        {command: COMMANDS.get(command)} if command and command in COMMANDS else usable(COMMANDS, warn=True)
    )
    for name in COMMANDS.names():
        if name == command:
            found[name].add_arguments(subparsers.add_parser(name))
        else:
            summary = str(found[name].SUMMARY) if name in found else "(cannot be loaded)"
            subparsers.add_parser(name, help=printable(summary).replace("%", "%%"))
    try:
        args = parser.parse_args(argv)
    except SystemExit as done:  # after --help or --version
        return int(done.code or 0)
    if args.command is None:
        parser.error(f"no command given, wanted one of {', '.join(COMMANDS.names())}")
    return _done(found[args.command], args)


def _done(command: Any, args: argparse.Namespace) -> int:
    """Run a command; a lack of memory is told in a line, with what to make smaller (its ``SMALLER``)."""
    try:
        with _told_hints():
            return int(command.run(args))
    except RoomError:
        raise
    except Exception as error:
        reason = out_of_memory(error)
        if reason is None:
            raise
    # After the error is gone, and what it held.
    wanted = getattr(command, "SMALLER", "less of it")
    raise InputError(f"out of memory ({reason}): wanted {wanted}, or a machine with more")


def _normalised(argv: Sequence[str]) -> list[str]:
    """The words with flags spelled with dashes, with the values that `OPTIONAL` ones lack, and with numbers
    like -1,2 tied to the flag before them.
    """
    words: list[str] = []
    for n, word in enumerate(argv):
        if word == "--":
            return [*words, *argv[n:]]
        flag, equals, value = word.partition("=")
        if word in OPTIONAL and not {*argv[n + 1 : n + 2]} & {*OPTIONAL[word]}:
            words.append(f"{word}={OPTIONAL[word][0]}")
        elif flag.startswith("--"):
            words.append(flag.replace("_", "-") + equals + value)
        elif words and re.fullmatch("--[^=]+", words[-1]) and re.match(r"-(\d|\.|inf|nan)", word):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def _forget_output() -> None:
    """Let what is still to be printed go nowhere, where it cannot be printed."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    """Print the message on standard error, if there is one, as one line without what a terminal obeys."""
    if not message:
        return
    with contextlib.suppress(OSError):  # the terminal has gone, or the disk is full: the status tells
        print(f"{PROGRAM}: {printable(' '.join(message.split()))}", file=sys.stderr)


if __name__ == "__main__":
    program()
