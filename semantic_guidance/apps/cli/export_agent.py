"""``semantic-guidance export-agent``: a trained agent in another program's files, or in half the bytes."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_guidance.apps.cli.flags import add_flags, flag_values
from semantic_guidance.apps.options import AGENT_COLORS
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import option
from semantic_guidance.core.shown import printable

if TYPE_CHECKING:
    from semantic_guidance.learning.run.start import Networks

SUMMARY = "write a trained agent for other programs, or smaller"
FORMATS = ("seed", "int8")
ACTOR = "actor.safetensors"

EXAMPLES = """examples:
  semantic-guidance export-agent model/cub200/semantic --to seed --out exported
      writes actor_00000.pkl, critic_00000.pkl, wgan_00000.pkl and wgan_00001.pkl, for the reference code's
      `python train.py --load_path exported` and `python test.py --actor exported/actor_00000.pkl`
  semantic-guidance export-agent model/cub200/semantic/actor.safetensors --to seed --out exported
  semantic-guidance export-agent actor.pkl --agent-colors bgr --out rgb
      one of Learning to Paint's actors, which learned on BGR, for pictures in RGB
  semantic-guidance export-agent model/cub200/semantic --to int8 --out small
      writes actor.safetensors for `paint --agent`, with large layers in whole numbers"""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Into whose files."""

    to: str = option(
        "seed", "seed: files of the reference code; int8: one of ours, of half the size", choices=FORMATS
    )
    agent_colors: str | None = option(
        None,
        "order of the colours in which networks of the papers' files learned: rgb, as those of Semantic"
        " Guidance, or bgr, as those of Learning to Paint; what is written is for RGB (default: rgb)",
        choices=AGENT_COLORS,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Writes an agent that `train` made as files of the reference code (Singh & Zheng 2021): its actor,\n"
        "and from a checkpoint critic and discriminators, too; or once more as ours, in 8 bits a weight."
    )
    parser.epilog = EXAMPLES
    parser.add_argument(
        "agent",
        metavar="AGENT",
        type=Path,
        help="folder of a run or of a checkpoint, or an actor's file (.safetensors or .pkl)",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the files")
    add_flags(parser, dataclasses.fields(ExportOptions))


def run(args: argparse.Namespace) -> int:
    """Export; returns the exit status."""
    from semantic_guidance.learning.run.ltp_files import write_ltp_folder
    from semantic_guidance.learning.run.start import read_networks

    options = ExportOptions(**flag_values(args, ExportOptions))
    if options.to == "int8":
        print(printable(_write_small(args.agent, args.out)))
        return 0
    found = read_networks(args.agent, options.agent_colors)
    if found.env is not None and found.env.use_bilevel and not found.env.aligned:
        raise InputError(
            f"{found.path}: it learned with --no-alignment, wanted one that the reference code has"
        )
    try:
        written = write_ltp_folder(found.states, args.out)
    except ValueError as error:
        raise InputError(f"{found.path}: {error}") from None
    for line in _differences(found):
        print(f"semantic-guidance: {printable(line)}", file=sys.stderr)
    for path in written:
        print(printable(path))
    return 0


def _write_small(agent: Path, out: Path) -> Path:
    """Write an agent of ours with its large layers in int8; returns the file."""
    from semantic_guidance.agents.files import read_network
    from semantic_guidance.core.weights import write_weights

    path = agent / ACTOR if agent.is_dir() else agent
    try:
        network, config = read_network(path)
    except ValueError as error:
        raise InputError(f"--to int8: {error}") from None
    out.mkdir(parents=True, exist_ok=True)
    write_weights(network, config, out / path.name, int8=True)
    return out / path.name


def _differences(found: Networks) -> list[str]:
    """What the reference code does otherwise than the agent's training did."""
    lines = []
    if found.env is not None and found.env.use_bilevel and found.env.compositing != "seed":
        lines.append(
            "it learned with --compositing over; the reference code's masks limit a stroke's colour alone: "
            "its paintings are darker"
        )
    if found.size is not None and found.size not in (128, 256):
        lines.append(f"it learned on {found.size} x {found.size} pixels; the reference code has 128 or 256")
    if "critic" not in found.states:
        lines.append("there is no critic: the reference code's test.py takes the file, its train.py does not")
    return lines
