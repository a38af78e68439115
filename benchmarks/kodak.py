"""PSNR and processor seconds over a folder of photographs, by preset and number of strokes.

    python benchmarks/kodak.py FOLDER [--against f733fcb] [--strokes 256,512,1024] [--presets standard,fine]

Every picture is painted at its own size. Prints tables of means over the pictures in Markdown and writes
`benchmarks/results/kodak.json`, which has each picture's numbers, too.

PSNR and SSIM compare the 8-bit painting with the 8-bit picture, both in RGB at full size. "Painting" is
planning and refinement (with --guidance, looking for objects as well) in a process that has painted before;
"command" is all of `semantic-guidance paint`, from start to png, for the first few pictures. Both are seconds
of one core, to which processes are bound where the system can do that. An older commit takes turns with the
code of now, picture by picture, after one command of each that does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    RESULTS,
    ROOT,
    SUFFIXES,
    BenchmarkError,
    Neighbours,
    Parser,
    checkout,
    finish,
    headline,
    significant,
    table,
    write_results,
)
from numpy.typing import NDArray
from paint import VIDEO_SHARES, positive
from start import Code
from tqdm import tqdm

Picture = NDArray[np.uint8]  # [H, W, 3]

EQUAL = 100.0  # dB, which stand for an infinite PSNR
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
MEANS = ("psnr", "ssim", "painting_cpu_s", "command_cpu_s")

# Only names that older commits have, too.
WORKER = """
import inspect, json, sys, time
import numpy, torch
from semantic_guidance import Guidance, Painter, load_image
task = json.loads(sys.argv[1])
torch.set_num_threads(1)
agent, known = ("semantic", None) if task["guidance"] else ("baseline", Guidance.none())
if inspect.signature(Painter).parameters["agent"].default is None:
    agent = None  # the preset's
photo = load_image(task["photo"])
Painter(agent, "standard", strokes=20, size=64).paint(photo[:, :64, :64], known)
found = []
for preset, strokes, film in task["settings"]:
    painter = Painter(agent, preset, strokes=strokes, size=max(photo.shape))
    wall, cpu = time.perf_counter(), time.process_time()
    painting = painter.paint(photo, known)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    packed = painting.strokes.pack()
    marks = [round(share * packed.shape[1]) for share in task["shares"]]
    canvases = {}
    for count, canvas in enumerate(painting.replay()):
        if count in marks:
            canvases[count] = (canvas.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    numpy.save(film, numpy.stack([canvases[mark] for mark in marks]))
    seconds = {"painting_wall_s": wall, "painting_cpu_s": cpu}
    found.append(seconds | {"painted": packed.shape[1], "numbers": packed.shape[2]})
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Setting:
    """How pictures are painted.

    Attributes:
        preset: its name.
        strokes: number of strokes.
    """

    preset: str
    strokes: int


@dataclass(frozen=True)
class Subject:
    """A picture to paint.

    Attributes:
        name: of its file, without suffix.
        file: the picture.
        pixels: ``[H, W, 3]`` as a painter sees them.
    """

    name: str
    file: Path
    pixels: Picture


def psnr(painted: Picture, target: Picture) -> float:
    """Peak signal-to-noise ratio of two pictures of 8 bits in dB, `EQUAL` at most."""
    error = float(np.mean((painted.astype(np.float64) - target) ** 2))
    return min(EQUAL, 10 * math.log10(255**2 / error)) if error else EQUAL


def similarity(painted: Picture, target: Picture) -> float:
    """SSIM at full size."""
    import torch

    from semantic_guidance.images.metrics import ssim

    first, second = (torch.tensor(image).permute(2, 0, 1) / 255 for image in (painted, target))
    return ssim(first, second)


def read_folder(folder: Path, size: int | None, scratch: Path) -> list[Subject]:
    """The pictures of a folder by name, reduced to `size` pixels on their longer side if they are larger.

    Raises:
        BenchmarkError: there is no such folder, it has no pictures, or two of the same name.
    """
    from PIL import Image

    from semantic_guidance.images.arrays import to_bytes
    from semantic_guidance.images.files import load_image

    if not folder.is_dir():
        raise BenchmarkError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    files = sorted(path.absolute() for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise BenchmarkError(f"{folder}: no pictures, wanted png or jpg")
    subjects: dict[str, Subject] = {}
    for file in files:
        if file.stem in subjects:
            raise BenchmarkError(f"{file}: {subjects[file.stem].file.name} is there, too, wanted one of them")
        pixels, path = to_bytes(load_image(file)), file
        if size is not None and max(pixels.shape) > size:
            image, path = Image.fromarray(pixels), scratch / f"{file.stem}.png"
            image.thumbnail((size, size), Image.Resampling.LANCZOS)
            image.save(path)
            pixels = np.asarray(image)
        subjects[file.stem] = Subject(file.stem, path, pixels)
    return list(subjects.values())


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Processes that are started inside have one core, so that every library uses one thread."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def command(subject: Subject, setting: Setting, guidance: bool, out: Path) -> list[object]:
    """The words of the command that paints a picture."""
    words = ["paint", subject.file, *(() if guidance else ("--no-guidance",)), "--strokes", setting.strokes]
    size = max(subject.pixels.shape)
    return [*words, "--preset", setting.preset, "--size", size, "--formats", "png", "--out", out]


def work(code: Code, task: dict[str, Any]) -> list[dict[str, Any]]:
    """What a process of a code that paints one picture says, for each of its settings.

    Raises:
        BenchmarkError: it fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", WORKER, json.dumps(task)],
        cwd=code.folder,
        env=code.environment() | ONE_THREAD,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BenchmarkError(f"{code.name} code: {(done.stderr.strip() or 'it fails').splitlines()[-1]}")
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def paint(
    code: Code, subject: Subject, settings: Sequence[Setting], args: argparse.Namespace, whole: bool
) -> list[dict[str, Any]]:
    """Paint a picture with a code and judge it: a row for each setting.

    Args:
        code: what paints.
        subject: the picture.
        settings: preset and strokes of each painting.
        args: the benchmark's.
        whole: whether whole commands are timed, too.

    Raises:
        BenchmarkError: it fails, or the painting has another size than the picture.
    """
    films = [code.home / f"film_{number}.npy" for number in range(len(settings))]
    wanted = [(each.preset, each.strokes, str(film)) for each, film in zip(settings, films, strict=True)]
    task = {"photo": str(subject.file), "guidance": args.guidance, "shares": VIDEO_SHARES, "settings": wanted}
    rows = []
    for setting, film, found in zip(settings, films, work(code, task), strict=True):
        canvases = np.load(film)
        if canvases.shape[1:] != subject.pixels.shape:
            got, right = (f"{s[1]} x {s[0]}" for s in (canvases.shape[1:], subject.pixels.shape))
            raise BenchmarkError(f"{code.name} code: {subject.name} is painted {got}, wanted {right}")
        seconds = {name: found.pop(name) for name in ("painting_wall_s", "painting_cpu_s")}
        if whole:
            run = code.run(
                command(subject, setting, args.guidance, code.home), code.environment() | ONE_THREAD
            )
            seconds |= {"command_wall_s": run.wall, "command_cpu_s": run.cpu}
        name = f"{subject.name}_{setting.preset}_{setting.strokes}_{code.name}.png"
        keep(args.pictures, name, canvases[-1])
        rows.append(
            {
                "picture": subject.name,
                **asdict(setting),
                "code": code.name,
                **found,
                "psnr": round(psnr(canvases[-1], subject.pixels), 3),
                "ssim": round(similarity(canvases[-1], subject.pixels), 4),
                "film": [round(psnr(canvas, subject.pixels), 3) for canvas in canvases],
                **{name: significant(value) for name, value in seconds.items()},
            }
        )
    return rows


def keep(folder: Path | None, name: str, picture: Picture) -> None:
    """Write a painting to a folder, if there is one."""
    from PIL import Image

    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / name)


def means(rows: Sequence[dict[str, Any]], setting: Setting, codes: Sequence[str]) -> dict[str, Any]:
    """Means over the pictures of a setting by code, and what new code has more than old."""
    found: dict[str, Any] = asdict(setting)
    for code in codes:
        each = [
            row
            for row in rows
            if (row["preset"], row["strokes"], row["code"]) == (setting.preset, setting.strokes, code)
        ]
        found["numbers"] = each[0]["numbers"]
        found[code] = {
            name: significant(float(np.mean([row[name] for row in each if name in row])), 5) for name in MEANS
        }
        found[code]["film"] = [
            significant(float(value), 5) for value in np.mean([r["film"] for r in each], 0)
        ]
    if "old" in codes:
        old, new = found["old"], found["new"]
        found["psnr_gain"] = round(new["psnr"] - old["psnr"], 3)
        for name in ("painting_cpu_s", "command_cpu_s"):
            found[name.replace("_cpu_s", "_ratio")] = significant(new[name] / old[name], 3)
    return found


def show(rows: Sequence[dict[str, Any]], codes: Sequence[str], pictures: int) -> None:
    """Print the tables of means."""
    both = len(codes) > 1
    heads, lines = ["preset", "strokes", "numbers a stroke"], []
    shown = (
        ("psnr", "PSNR", ".2f", "psnr_gain", "+.2f"),
        ("ssim", "SSIM", ".4f", None, ""),
        ("painting_cpu_s", "painting, s", ".2f", "painting_ratio", ".2f"),
        ("command_cpu_s", "command, s", ".2f", "command_ratio", ".2f"),
    )
    for _, head, _, change, _ in shown:
        heads += [f"{head}, {code}" for code in codes] if both else [head]
        if both and change:
            heads.append("difference" if change == "psnr_gain" else "ratio")
    for row in rows:
        cells = [row["preset"], row["strokes"], row["numbers"]]
        for name, _, form, change, change_form in shown:
            cells += [format(row[code][name], form) for code in codes]
            if both and change:
                cells.append(format(row[change], change_form))
        lines.append(cells)
    print(f"Means of {pictures} pictures; dB, and processor seconds on one thread\n\n{table(heads, lines)}\n")
    print("PSNR of the canvas as it is painted, by share of the strokes\n")
    lines = [
        [row["preset"], row["strokes"], code, *(f"{value:.2f}" for value in row[code]["film"])]
        for row in rows
        for code in codes
    ]
    print(table(("preset", "strokes", "code", *(f"{share:.0%}" for share in VIDEO_SHARES)), lines))


def whole_numbers(words: str) -> list[int]:
    """Numbers separated by commas, each once."""
    return list(dict.fromkeys(positive(word) for word in words.split(",")))


def names(words: str) -> list[str]:
    """Presets separated by commas, each once."""
    from semantic_guidance.painter.presets import PRESETS

    found = list(dict.fromkeys(words.split(",")))
    for name in found:
        if name not in PRESETS:
            raise argparse.ArgumentTypeError(f"got {name!r}, wanted some of {','.join(PRESETS)}")
    return found


def parse() -> argparse.Namespace:
    parser = Parser(prog="kodak.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, png or jpg")
    parser.add_argument("--against", metavar="COMMIT", help="compare with an older commit, or with a folder")
    parser.add_argument("--strokes", metavar="LIST", type=whole_numbers, default=[256, 512, 1024])
    parser.add_argument("--presets", metavar="LIST", type=names, default=["standard", "fine"])
    parser.add_argument("--size", metavar="N", type=positive, help="reduce larger pictures to so many pixels")
    parser.add_argument(
        "--commands",
        metavar="N",
        type=positive,
        default=3,
        help="pictures whose whole commands are timed, too (default: %(default)s)",
    )
    parser.add_argument("--guidance", action="store_true", help="look for objects (default: do not)")
    parser.add_argument("--out", metavar="JSON", type=Path, default=RESULTS / "kodak.json")
    parser.add_argument("--pictures", metavar="DIR", type=Path, help="folder for the paintings")
    return parser.parse_args()


def measure_all(
    args: argparse.Namespace, codes: Sequence[Code], subjects: Sequence[Subject], settings: Sequence[Setting]
) -> list[dict[str, Any]]:
    """A row for each picture, setting and code."""
    for code in codes:
        code.home.mkdir()
    turns = list(itertools.product(enumerate(subjects), codes))
    rows = []
    with one_core(), tqdm(total=len(turns), file=sys.stderr, unit="picture") as bar:
        for code, preset in itertools.product(codes, args.presets):
            bar.set_description(f"warm-up, {code.name}")
            words = command(subjects[0], Setting(preset, 20), args.guidance, code.home)
            code.run(words, code.environment() | ONE_THREAD)
        for (number, subject), code in turns:
            bar.set_description(f"{subject.name}, {code.name}")
            rows += paint(code, subject, settings, args, number < args.commands)
            bar.update()
    return rows


def run(args: argparse.Namespace) -> None:
    """The whole benchmark.

    Raises:
        BenchmarkError: there are no such pictures or commit, or painting fails.
    """
    settings = [Setting(preset, count) for preset in args.presets for count in args.strokes]
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subjects = read_folder(args.folder, args.size, scratch)
        folders, full = {"new": ROOT}, None
        if args.against:
            old = Path(args.against).resolve()
            if not (old / "semantic_guidance").is_dir():
                old = scratch / "checkout"
                full = stack.enter_context(checkout(args.against, old))
            folders = {"old": old, "new": ROOT}
        codes = [Code(name, folder, scratch / f"home-{name}") for name, folder in folders.items()]
        neighbours = Neighbours()
        rows = measure_all(args, codes, subjects, settings)
    summary = [means(rows, setting, list(folders)) for setting in settings]
    about = {
        "old": full,
        "guidance": args.guidance,
        "size": args.size,
        "film_shares": VIDEO_SHARES,
        "threads": 1,
    }
    write_results(args.out, "kodak", neighbours, {"settings": about, "means": summary, "results": rows})
    print(headline(neighbours) + "\n")
    show(summary, list(folders), len(subjects))


def main() -> int:
    args = parse()
    return finish("kodak.py", lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
