"""``semantic-guidance test``: what the reference code's ``test.py`` does, with its flags and files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.options import AGENT_COLORS
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.inputs import STDIN
from semantic_guidance.core.shown import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from semantic_guidance.agents.ltp.agent import LtpAgent
    from semantic_guidance.agents.ltp.episode import Renderer
    from semantic_guidance.core.guidance import Guidance
    from semantic_guidance.core.strokes import Strokes
    from semantic_guidance.painting.painting import Level

SUMMARY = "paint as the papers' test.py does, into output and video"
SIDE, RATE = 250, 20
"""Pixels of a side of the reference code's pictures, and its frames per second."""

MOST_STEPS = 10_000

EXAMPLES = """examples:
  semantic-guidance test --img bird.png --actor pretrained_models/actor_semantic_guidance.pkl
      writes output/sg_painted_bird.png and video/sg_bird.mp4
  semantic-guidance test --img bird.png --actor pretrained_models/actor_baseline.pkl --use_baseline
      writes output/baseline_painted_bird.png and video/baseline_bird.mp4"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Paints a picture as `python test.py` of the reference code (Singh & Zheng 2021) does: the actor\n"
        "alone, on a square of 128 x 128 pixels. Writes the painting, 250 x 250, to ./output, and the\n"
        "painting process, a frame for each stroke, to ./video. Objects are found as in `paint`, not by\n"
        "Mask R-CNN.\n"
        "`paint --agent FILE --preset draft` paints in the picture's own shape and size."
    )
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("--img", metavar="IMAGE", type=Path, required=True, help="the picture")
    add(
        "--actor",
        metavar="FILE",
        type=Path,
        required=True,
        help="the actor: a checkpoint of the papers' code",
    )
    add("--use-baseline", action="store_true", help="the actor knows no objects (Huang et al. 2019)")
    add("--max-eps-len", metavar="N", type=int, default=50, help="steps of the actor (default: %(default)s)")
    add(
        "--renderer",
        metavar="FILE",
        type=Path,
        help="checkpoint of the papers' neural renderer (default: strokes are drawn exactly)",
    )
    add(
        "--agent-colors",
        choices=AGENT_COLORS,
        help="order of the colours in which it learned: bgr for those of Learning to Paint (default: rgb)",
    )
    add("--out", metavar="DIR", type=Path, default=Path(), help="where output and video are (default: here)")


def run(args: argparse.Namespace) -> int:
    """Paint; returns the exit status."""
    from semantic_guidance.images.files import load_image

    if not 1 <= args.max_eps_len <= MOST_STEPS:
        raise InputError(f"--max-eps-len: got {args.max_eps_len}, wanted 1 to {MOST_STEPS}")
    agent, paint = _agent(args), _renderer(args.renderer)
    image = load_image(args.img)
    guidance = None if args.use_baseline else _guidance(image, args.img)
    paintings = list(_canvases(agent, image, guidance, args.max_eps_len, paint))
    for path in _write(paintings, args.img, "baseline" if args.use_baseline else "sg", args.out):
        print(printable(path))
    return 0


def _agent(args: argparse.Namespace) -> LtpAgent:
    """The actor, if it is of the kind that is asked for.

    Raises:
        InputError: it cannot be read, or is of another kind.
    """
    from semantic_guidance.agents.ltp.agent import LtpAgent

    if not args.actor.is_file():
        raise InputError(f"--actor: {args.actor}: there is no such file, wanted an actor of the papers' code")
    try:
        agent = LtpAgent.load(args.actor, args.agent_colors)
    except ValueError as error:
        raise InputError(f"--actor: {error}") from None
    knowing = agent.config.use_bilevel or agent.config.use_gbp
    if knowing and args.use_baseline:
        raise InputError(f"--use-baseline: {args.actor} knows objects, wanted an actor of 9 channels with it")
    if not (knowing or args.use_baseline):
        raise InputError(f"--actor: {args.actor} knows no objects, wanted --use-baseline with it")
    return agent


def _renderer(path: Path | None) -> Renderer | None:
    """What paints strokes: the network in a file, or, if None, what the actor's episode says.

    Raises:
        InputError: the file cannot be read.
    """
    from semantic_guidance.agents.ltp.episode import EnvConfig, compositor
    from semantic_guidance.renderer.backends.neural import NeuralBackend, load_ltp_renderer

    if path is None:
        return None
    try:
        return compositor(EnvConfig(compositing="seed"), NeuralBackend(load_ltp_renderer(path)))
    except ValueError as error:
        raise InputError(f"--renderer: {error}") from None


def _guidance(image: Tensor, path: Path) -> Guidance:
    """What the picture is of."""
    from semantic_guidance.guidance.base import load_guide

    guidance = load_guide("default")(image).united()
    if not guidance.instances:
        line = f"{path}: no object was found, all of it is painted as background"
        print(f"semantic-guidance: {printable(line)}", file=sys.stderr)
    return guidance


def _canvases(
    agent: LtpAgent, image: Tensor, guidance: Guidance | None, steps: int, paint: Renderer | None
) -> Iterator[NDArray[np.uint8]]:
    """The empty canvas, and that after each stroke, ``[250, 250, 3]``."""
    import torch

    from semantic_guidance.agents.ltp.episode import compositor, guidance_tensors
    from semantic_guidance.agents.ltp.rollout import paint_with_actor
    from semantic_guidance.core.guidance import Guidance

    size, config = agent.size, replace(agent.config, max_eps_len=steps, compositing=agent.compositing)
    known = Guidance.none(size, size) if guidance is None else guidance
    bundles: list[tuple[Strokes, Level]] = paint_with_actor(
        agent.actor, config, image, known, size, antialias=agent.antialias, renderer=paint
    )
    mask = guidance_tensors(known, size, size, agent.antialias)[0][None]
    masks: dict[str, Any] = {"background": 1 - mask, "foreground": mask}
    paint = paint or compositor(config)
    canvas = torch.zeros(1, 3, size, size, dtype=torch.float32)
    yield _shown(canvas)
    with torch.no_grad():
        for strokes, level in bundles:
            where = masks[level] if config.use_bilevel else None
            for n in range(len(strokes)):
                canvas = paint(strokes[n : n + 1], canvas, where, config.softness)
                yield _shown(canvas)


def _shown(canvas: Tensor) -> NDArray[np.uint8]:
    """A canvas ``[1, 3, H, W]`` as the reference code writes it: bytes, rounded down, and then enlarged."""
    import cv2
    import numpy as np

    pixels = (255 * canvas[0].clamp(0, 1)).byte().permute(1, 2, 0).numpy()
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE)), np.uint8)


def _write(paintings: list[NDArray[np.uint8]], image: Path, kind: str, out: Path) -> list[Path]:
    """Write the last one and the video of all; returns the files."""
    import torch

    from semantic_guidance.apps.files import check_outputs, prepare_folder
    from semantic_guidance.export.image import OPTIONS, write_picture
    from semantic_guidance.export.video import write_clip

    image = Path("stdin") if image == STDIN else image
    name = image.name if image.suffix.lower() in OPTIONS else f"{image.name}.png"
    picture, video = out / "output" / f"{kind}_painted_{name}", out / "video" / f"{kind}_{image.stem}.mp4"
    for folder in (picture.parent, video.parent):
        prepare_folder(folder)
    check_outputs([picture, video], [image])
    write_picture(torch.from_numpy(paintings[-1]).permute(2, 0, 1).float() / 255, picture)
    write_clip(paintings, video, RATE)
    return [picture, video]
