"""What each kind of guidance does by itself: the baseline, two levels, aligned objects, focus maps.

    python runs/ablation/ablate.py PACK PHOTOS OUT

PACK is a cut-out pack (`python -m semantic_guidance.learning.data.cutouts.rebuild_pack PACK`), PHOTOS what
`runs/segmenter/real_photos.py` makes. Trains each arm with each seed in OUT (a run that was stopped goes on;
one that is done stays), paints the held-out photographs, whose masks are given, and writes results.json,
table.md and paintings.png to OUT, or with --publish to `runs/ablation`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from semantic_guidance.apps.evaluate.measure import Known, measure
from semantic_guidance.apps.evaluate.subjects import Subject
from semantic_guidance.core.files import replacing
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.learning.run import single
from semantic_guidance.learning.run.loop import train
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painting.painting import Painting

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
SIDE = 64  # pixels of the canvas
STEPS, BUNDLE = 20, 6  # steps of a painting, and strokes of a step, 3 + 3 of them on two levels
SHOWN, ENLARGED = 4, 160  # paintings of a row, and their side in pixels


@dataclass(frozen=True)
class Arm:
    """A way to train.

    Attributes:
        name: for people.
        settings: of `train`, beyond those of all arms.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


ARMS = (
    Arm("baseline"),
    Arm("+ two levels", {"use_bilevel": True, "no_alignment": True}),
    Arm("+ alignment", {"use_bilevel": True}),
    Arm("+ focus", {"use_bilevel": True, "use_gbp": True}),
)

FIGURES = {
    "mse": "all",
    "mse_foreground": "object",
    "mse_background": "background",
    "mse_focus": "focus",
    "perceptual_object": "perceptual, object",
    "top1": "top-1",
    "top5": "top-5",
}
"""Figures of a painting, see `apps.evaluate.columns`, and their names in the table."""


def train_arm(arm: Arm, seed: int, args: argparse.Namespace) -> Path:
    """The agent's file of an arm and a seed, trained if it is not there."""
    name = f"{arm.name.replace('+ ', '').replace(' ', '-')}-{seed}"
    folder = args.out / "cutouts" / name
    agent = folder / "actor.safetensors"
    started = (folder / single.LAST).exists()
    if started and int(single.read_last(folder / single.LAST, "step")["step"]) >= args.updates:
        return agent
    train(
        method="apg",
        dataset="cutouts",
        data=str(args.pack),
        photographs=str(args.photos),
        pictures=args.pictures,
        num_val=200,
        bank=str(args.out / "bank.npz"),
        canvas_size=SIDE,
        view_size=SIDE,
        width=args.width,
        windows=0.0,
        max_eps_len=STEPS,
        bundle_size=BUNDLE,
        updates=args.updates,
        batch_size=64,
        measured=128,
        bf16=True,
        seed=seed,
        output=str(args.out),
        exp_suffix=name,
        resume=started,
        **arm.settings,
    )
    return agent


def known_photographs(folder: Path, limit: int) -> list[Known]:
    """The first photographs of a folder with their masks and focus maps."""
    masks = sorted(folder.glob("*_mask.png"))[:limit]
    pairs = [(folder / f"{mask.stem.removesuffix('_mask')}.jpg", mask) for mask in masks]
    subjects = [Subject(picture.name, picture.stem, picture, mask) for picture, mask in pairs]
    return [Known.of(subject) for subject in tqdm(subjects, desc="photographs")]


def figures(agent: Path, photographs: Sequence[Known]) -> dict[str, float]:
    """Mean figures of an agent's paintings."""
    paintings = paint(agent, photographs)
    rows = [
        measure(painting, known, guided=True)
        for painting, known in zip(paintings, tqdm(photographs, desc=agent.parent.name), strict=True)
    ]
    return {
        figure: statistics.fmean(float(row[figure]) for row in rows if row[figure] is not None)
        for figure in FIGURES
    }


def paint(agent: Path, photographs: Sequence[Known]) -> Iterator[Painting]:
    """An agent's paintings, step after step as in training."""
    painter = Painter(agent, "draft", strokes=STEPS * BUNDLE, style="likeness")
    for known in photographs:
        yield painter.paint(known.image, known.guidance)


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Means and spreads (sample standard deviations over seeds) in Markdown."""
    lines = ["| | " + " | ".join(FIGURES.values()) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for arm, runs in results.items():
        cells = []
        for figure in FIGURES:
            values = [run[figure] for run in runs]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            mean = statistics.fmean(values)
            if figure.startswith("top"):
                cells.append(f"{100 * mean:.0f} % ± {100 * spread:.0f}")
            else:
                cells.append(f"{mean:.4f} ± {spread:.4f}")
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def sheet(rows: Sequence[Sequence[torch.Tensor]]) -> Image.Image:
    """Rows of pictures, squeezed to squares."""
    page = Image.new("RGB", (SHOWN * ENLARGED, len(rows) * ENLARGED), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = Image.fromarray(to_bytes(picture)).resize((ENLARGED, ENLARGED), Image.Resampling.LANCZOS)
            page.paste(small, (x * ENLARGED, y * ENLARGED))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="folder of a cut-out pack")
    parser.add_argument("photos", type=Path, help="folder with train and held_out photographs")
    parser.add_argument("out", type=Path, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm (default: 3)")
    parser.add_argument("--updates", type=int, default=600, help="of each run (default: 600)")
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage (default: 16)")
    parser.add_argument("--pictures", type=int, default=2000, help="to learn on (default: 2000)")
    parser.add_argument("--limit", type=int, default=28, help="photographs to paint (default: 28)")
    parser.add_argument("--publish", action="store_true", help="write to runs/ablation instead of OUT")
    args = parser.parse_args()
    runs = {arm.name: [train_arm(arm, seed, args) for seed in range(args.seeds)] for arm in ARMS}
    photographs = known_photographs(args.photos / "held_out", args.limit)
    results = {arm: [figures(agent, photographs) for agent in agents] for arm, agents in runs.items()}
    shown = known_photographs(EXAMPLES, SHOWN)
    rows = [[known.image for known in shown]]
    rows += [[painting.canvas for painting in paint(agents[0], shown)] for agents in runs.values()]
    folder = HERE if args.publish else args.out
    with replacing(folder / "results.json") as draft:
        draft.write_text(json.dumps(results, indent=1) + "\n")
    with replacing(folder / "table.md") as draft:
        draft.write_text(table(results))
    with replacing(folder / "paintings.png") as draft:
        sheet(rows).quantize(200).save(draft, format="png", optimize=True)
    print(table(results))


if __name__ == "__main__":
    main()
