"""``semantic-guidance serve``: the studio, a page to paint in."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import ipaddress

from semantic_guidance.apps.cli.flags import add_flags, flag_values
from semantic_guidance.apps.cli.output import tell_note
from semantic_guidance.apps.serve.settings import ServeOptions
from semantic_guidance.core.errors import InputError

SUMMARY = "serve the studio: a page to paint in, and the same over HTTP"
SMALLER = "fewer --workers"

NEEDED = ("fastapi", "uvicorn", "starlette", "pydantic")

EXAMPLES = """examples:
  semantic-guidance serve --open
  semantic-guidance serve --host 0.0.0.0 --allow-host paint.example.org --workers 4

Nothing is sent elsewhere, and nothing is kept: see docs/serve.md."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Serves the studio until Ctrl-C: a page in the browser in which photographs become paintings, and\n"
        "the same for programs. Needs pip install 'semantic-guidance[web]'."
    )
    parser.epilog = EXAMPLES
    add_flags(parser, dataclasses.fields(ServeOptions))


def run(args: argparse.Namespace) -> int:
    """Serve; returns the exit status, though only a signal ends it."""
    options = ServeOptions(**flag_values(args, ServeOptions))
    try:
        from semantic_guidance.apps.serve.server import serve
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in NEEDED:
            raise
        raise InputError("serve needs FastAPI and uvicorn: pip install 'semantic-guidance[web]'") from None

    def tell(url: str) -> None:
        print(f"Studio at {url} (Ctrl-C ends it)", flush=True)
        if not _alone(options.host):
            about = "lets in whoever reaches this machine, without a password: docs/serve.md"
            tell_note(f"--host {options.host} {about}")

    serve(options, tell)
    return 0


def _alone(host: str) -> bool:
    """Whether only this machine reaches that address."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"
