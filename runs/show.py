"""What training runs came to: their held-out errors as a table and as curves, and some of their paintings.

    python runs/show.py model/cutouts/baseline model/cutouts/semantic --out runs/ddpg

Takes runs of `train` by either method (all by the same, on the same pictures). Writes curves.png and
paintings.png (rows: targets, then each run's paintings of the same held-out pictures, the first ones with an
object that covers a tenth).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.files import load_actor
from semantic_guidance.core.shown import printable
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import to_image
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.apg.run import HEADS
from semantic_guidance.learning.bank import PictureBank, open_banks
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.run import checkpoint, single

COLOURS = ((200, 90, 40), (40, 90, 170), (60, 140, 80), (120, 60, 140))
SIZE, MARGIN = (560, 300), 44  # of the curves' picture in pixels
SHOWN, ENLARGED = 10, 96  # paintings of a row, and their side in pixels
OBJECT = 0.1  # least part of a shown picture that its object covers
CPU = torch.device("cpu")
PARTS = {"all": "mean_dist", "object": "mean_dist_foreground"}

Curve = dict[int, float]
"""Error by episode, or by update."""


def analytic(run: Path) -> bool:
    """Whether a run is one by the analytic gradient."""
    return (run / single.LAST).exists()


def settings(run: Path) -> TrainConfig:
    """What a run was told, from its newest checkpoint."""
    if analytic(run):
        return TrainConfig.from_json(single.read_last(run / single.LAST)["config"])
    return TrainConfig.from_json(checkpoint.read(checkpoint.checkpoints(run)[-1] / "networks.pt")["config"])


def curves(run: Path) -> dict[str, Curve]:
    """The validation errors in a run's log, of the whole pictures and of their objects."""
    if analytic(run):
        rows = [json.loads(line) for line in (run / single.LOG).read_text().splitlines()]
        return {part: {row["step"]: row[part] for row in rows if part in row} for part in PARTS}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "log"))
    events.Reload()
    steps = settings(run).env.max_eps_len
    return {
        part: {event.step // steps: event.value for event in events.Scalars(f"validate/{tag}")}
        for part, tag in PARTS.items()
    }


def table(names: Sequence[str], found: Sequence[dict[str, Curve]], unit: str) -> str:
    """The errors in Markdown: all / object for each run."""
    lines = [f"| {unit} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for number in sorted({number for run in found for number in run["all"]}):
        cells = [
            f"{run['all'][number]:.4f} / {run['object'][number]:.4f}" if number in run["all"] else ""
            for run in found
        ]
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_curves(names: Sequence[str], found: Sequence[dict[str, Curve]], unit: str) -> Image.Image:
    """Errors over episodes or updates, logarithmic; whole pictures in full lines, objects in thin ones."""
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    values = [value for run in found for curve in run.values() for value in curve.values()]
    low, high = math.log(min(values) / 1.1), math.log(max(values) * 1.1)
    last = max(episode for run in found for episode in run["all"])
    width, height = SIZE[0] - 2 * MARGIN, SIZE[1] - 2 * MARGIN

    def place(episode: float, value: float) -> tuple[float, float]:
        up = (math.log(value) - low) / (high - low)
        return MARGIN + width * episode / last, SIZE[1] - MARGIN - height * up

    for tick in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        if low <= math.log(tick) <= high:
            draw.line([place(0, tick), place(last, tick)], (225, 225, 225))
            draw.text((8, place(0, tick)[1] - 6), f"{tick:g}", "black")
    for tick in range(0, last + 1, max(20, 20 * round(last / 120))):
        draw.text((place(tick, math.exp(low))[0] - 8, SIZE[1] - MARGIN + 6), str(tick), "black")
    draw.text((SIZE[0] // 2 - 24, SIZE[1] - 20), unit, "black")
    for n, (name, run, colour) in enumerate(zip(names, found, COLOURS, strict=False)):
        for part, line_width in (("all", 3), ("object", 1)):
            draw.line([place(*point) for point in run[part].items()], colour, line_width)
        draw.text((SIZE[0] - 210, 10 + 14 * n), f"{name}: all (thick), object (thin)", colour)
    return picture


@torch.no_grad()
def paintings(run: Path) -> tuple[Tensor, Tensor]:
    """Targets and a run's paintings of them, ``[SHOWN, 3, H, W]``."""
    config = settings(run)
    held_out = open_banks(config.data, config.env)[1]
    samples = 2 * torch.arange(min(len(held_out), 8 * SHOWN))
    covered = held_out.start(samples, CPU).mask.mean(dim=(1, 2, 3))
    chosen = samples[covered > OBJECT][:SHOWN]
    if analytic(run):
        return analytic_paintings(run, config, held_out, chosen // 2)
    saved = load_actor(run / "actor.safetensors")
    state = held_out.start(chosen, CPU)
    for _ in range(saved.env.max_eps_len):
        state = episode.transition(state, saved.actor(episode.observation(state, saved.env)), saved.env)
    return state.target, state.canvas


def analytic_paintings(
    run: Path, config: TrainConfig, held_out: PictureBank, chosen: Tensor
) -> tuple[Tensor, Tensor]:
    """The same of a run by the analytic gradient, of whole pictures, step after step."""
    head = HEADS[config.apg.head]
    network = head.read(run / "actor.safetensors")
    pupil = head.pupil(config, network, True)
    easels = Easels(held_out, len(chosen), config.env.max_eps_len, CPU, fixed=chosen)
    pupil.begun(easels, torch.arange(len(chosen)))
    for _ in range(0, config.env.max_eps_len, pupil.horizon):
        easels.advance(pupil.look(easels)[1].clamp(0, 1), pupil.horizon)
    return easels.target, easels.canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures")
    args = parser.parse_args()
    names = [printable(run.name) for run in args.runs]
    found = [curves(run) for run in args.runs]
    unit = "updates" if analytic(args.runs[0]) else "episodes"
    print(table(names, found, unit))
    draw_curves(names, found, unit).quantize(32).save(args.out / "curves.png", optimize=True)
    shown = [paintings(run) for run in args.runs]
    rows = [shown[0][0], *(canvas for _, canvas in shown)]
    rows = [F.interpolate(row, (ENLARGED, ENLARGED), mode="bicubic").clamp(0, 1) for row in rows]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    Image.fromarray(to_bytes(to_image(sheet))).quantize(160).save(args.out / "paintings.png", optimize=True)


if __name__ == "__main__":
    main()
