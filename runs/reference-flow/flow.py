"""The reference code's flow from end to end on a small data set in CUB-200's layout, with a kill on the way.

    python runs/reference-flow/flow.py PACK WORK

PACK is a pack of cut-outs (`semantic_guidance.learning.data.cutouts`), WORK an empty folder. Makes 200
pictures, finds their objects, trains a small agent, kills it (``kill -9``), resumes it, sees that what
it did twice came out the same, goes on from its networks by the reference code's rules, and paints pictures.
Prints a line for each step, with its seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.learning.data.cutouts.dataset import CutoutDataset

PICTURES, CLASSES, SIDES = 200, 10, (120, 160)
SMALL = "--canvas_size 48 --width 16 --nenv 16 --batch_size 32 --max_eps_len 8 --bundle_size 6 --warmup 8"
SMALL += " --num_val 32 --val_num_eps 2 --val_interval 4 --save_interval 4 --gan_tau 0.01"
EPISODES, KILLED_AFTER = 12, 6
"""Episodes of the run, and that after which it is killed: the last checkpoint is then two episodes old."""

TIMED = ("seconds", "train/samples_per_second")
"""What is another number each time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, metavar="PACK")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--pictures", type=int, default=PICTURES, metavar="N")
    args = parser.parse_args()
    data, output = args.work / "data", args.work / "model"
    timed("pictures", make_set, args.pack, data / "cub200" / "CUB_200_2011", args.pictures)
    timed("preprocess", command, "preprocess", "--dataset", "cub200", "--data", data, "--workers", 1)
    train = ["train", "--dataset", "cub200", "--data", data, "--output", output, *SMALL.split()]
    train += ["--use_bilevel", "--use_gbp", "--train_timesteps", 8 * EPISODES]
    folder = output / "cub200" / "semantic"
    timed("train, killed", train_and_kill, [*train, "--exp_suffix", "semantic"], folder)
    before = rows(folder)
    timed("resumed", command, *train, "--exp_suffix", "semantic", "--resume")
    compare(before, rows(folder))
    letter = ["--compositing", "seed", "--critic_target", "seed", "--load_path", folder]
    timed("by the letter", command, *train, *letter, "--exp_suffix", "letter")
    report(folder)
    report(output / "cub200" / "letter")
    pictures = data / "cub200" / "CUB_200_2011" / "images" / "001.Class"
    runs = (output / "cub200" / name for name in ("semantic", "letter"))
    methods = ",".join(f"{run / 'actor.safetensors'}+draft" for run in runs)
    evaluation = args.work / "evaluation"
    words = ("--methods", methods, "--limit", 6, "--strokes", 48, "--out", evaluation)
    timed("evaluate", command, "evaluate", pictures, *words)


def make_set(pack: Path, root: Path, count: int) -> None:
    """Write composites in CUB-200-2011's layout."""
    composites = CutoutDataset(pack, *SIDES, length=count)
    names = [f"{n % CLASSES + 1:03}.Class/picture_{n:04}.jpg" for n in range(count)]
    for n, name in enumerate(names):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(to_bytes(composites[n].image)).save(path, quality=95)
    (root / "images.txt").write_text("".join(f"{n + 1} {name}\n" for n, name in enumerate(names)))


def command(*words: object) -> None:
    """Run one of the program's commands to its end."""
    subprocess.run([sys.executable, "-m", "semantic_guidance", *map(str, words)], check=True)


def train_and_kill(words: list[object], folder: Path) -> None:
    """Train until enough episodes are logged, and kill the program without a warning."""
    process = subprocess.Popen([sys.executable, "-m", "semantic_guidance", *map(str, words)])
    while len(rows(folder)) < KILLED_AFTER and process.poll() is None:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def rows(folder: Path) -> list[dict[str, float]]:
    """The whole lines of a run's log."""
    path = folder / "log.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def compare(before: list[dict[str, float]], after: list[dict[str, float]]) -> None:
    """Tell how many episodes of the killed run came out the same, number by number."""
    one, other = (
        [{name: row[name] for name in row.keys() - {*TIMED}} for row in some] for some in (before, after)
    )
    same = sum(first == second for first, second in zip(one, other, strict=False))
    print(f"{same} of {len(before)} episodes before the kill are the same, of {len(after)} in all")


def report(folder: Path) -> None:
    """Print a run's validation errors."""
    for row in rows(folder):
        if "validate/mean_dist" in row:
            shown = ("validate/mean_dist", "validate/mean_dist_foreground", "validate/mean_reward", "train/Q")
            print(folder.name, int(row["episode"]), *(f"{name} {row.get(name, 0):.4f}" for name in shown))


def timed(name: str, function: Callable[..., None], *words: object) -> None:
    """Call a function and print how long it took."""
    began = time.perf_counter()
    function(*words)
    print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
