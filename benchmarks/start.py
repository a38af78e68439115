"""From a command to its picture: wall and processor seconds and memory, as ratios against an older commit.

    python benchmarks/start.py [--commit f733fcb] [--repeats 5] [--cases png draft]

The old commit is checked out into a temporary folder. Its commands and ours take turns, each in a process of
its own, on a photograph of 400 pixels; one run of each that does not count fills the caches. Prints a table
in Markdown and writes `benchmarks/results/start.json`: medians, interquartile ranges, and ratios of medians.

Cases: `png+mp4`, `png` and `draft` paint, `render` makes a picture of a file of strokes that the old code
wrote. `first` is the first draft in a new home without caches, and what it takes longer than a later one.
`thirty` is the memory of one process of ours over thirty paintings. `stages` is where the time of one of our
paintings goes, with png and mp4 written.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import (
    RESULTS,
    ROOT,
    BenchmarkError,
    Neighbours,
    Parser,
    Timing,
    checkout,
    finish,
    headline,
    significant,
    table,
    write_results,
)
from paint import positive

SIDE = 400
PAINTED = {
    "png+mp4": ("--formats", "png,mp4"),
    "png": ("--formats", "png"),
    "draft": ("--formats", "png", "--preset", "draft"),
}
CASES = (*PAINTED, "render", "first", "thirty", "stages")
SETTLED = 5  # paintings after which a process has all that it keeps

# A process remembers the greatest memory of the one that it was split from, so it is split from a small one.
LAUNCH = """
import json, os, subprocess, sys, time
began = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
_, status, used = os.wait4(child.pid, 0)
wall = time.perf_counter() - began
code = os.waitstatus_to_exitcode(status)
memory = used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "mib": memory, "code": code}))
"""

REPEAT = """
import json, sys
from semantic_guidance import Painter, load_image
def memory():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
photo, strokes, count = load_image(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
painter, sizes = Painter(strokes=strokes), []
for n in range(count):
    painter.paint(photo).canvas
    sizes.append(memory())
print(json.dumps(sizes))
"""


STAGES = """
import json, sys, time
found, last = {}, [time.perf_counter(), time.process_time()]
def stage(name):
    now = [time.perf_counter(), time.process_time()]
    found[name] = [now[0] - last[0], now[1] - last[1]]
    last[:] = [time.perf_counter(), time.process_time()]
from semantic_guidance.core.start import quick_imports
with quick_imports():
    import torch
    stage("import torch")
    from semantic_guidance import Guide, Painter, load_image, save
    painter = Painter(strokes=int(sys.argv[2]))
stage("other imports, the agent, the kernels")
photo = load_image(sys.argv[1])
stage("read the photograph")
guidance = painter.guide(photo)
stage("guidance")
def progress(name, share):
    if share in (0.0, 1.0) and name in ("plan", "polish"):
        stage(name if share else "between")
painting = painter.paint(photo, guidance, progress)
stage("between")
painting.canvas
stage("canvas")
save(painting, sys.argv[3] + "/photo.png")
stage("png")
save(painting, sys.argv[3] + "/photo.mp4")
stage("mp4")
del found["between"]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Run:
    """What a command took.

    Attributes:
        wall: seconds of the clock.
        cpu: seconds of processors.
        mib: greatest memory.
    """

    wall: float
    cpu: float
    mib: float


@dataclass(frozen=True)
class Code:
    """A state of the project that can be run.

    Attributes:
        name: ``old`` or ``new``.
        folder: its files.
        home: of its caches.
    """

    name: str
    folder: Path
    home: Path

    def environment(self, home: Path | None = None) -> dict[str, str]:
        """For its processes; a home of its own keeps caches apart from the user's."""
        home = home or self.home
        dropped = {"PYTHONDONTWRITEBYTECODE", "NUMBA_CACHE_DIR"}
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        places = {"PYTHONPATH": self.folder, "HOME": home, "XDG_CACHE_HOME": home / ".cache"}
        return kept | {name: str(place) for name, place in places.items()}

    def run(self, words: Sequence[object], environment: dict[str, str] | None = None) -> Run:
        """Run one of its commands.

        Raises:
            BenchmarkError: it fails.
        """
        command = [sys.executable, "-m", "semantic_guidance", *map(str, words)]
        launch = [sys.executable, "-S", "-c", LAUNCH, *command]
        done = subprocess.run(
            launch,
            cwd=self.folder,
            env=environment or self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout)
        if found.pop("code"):
            raise BenchmarkError(f"{self.name} code: {(done.stderr.strip() or 'it fails').splitlines()[-1]}")
        return Run(**found)


def photograph(path: Path) -> None:
    """Write the photograph that is painted."""
    from PIL import Image

    with Image.open(ROOT / "examples" / "coffee.jpg") as image:
        image.thumbnail((SIDE, SIDE))
        image.save(path, quality=95)


def in_turns(codes: Sequence[Code], words: Sequence[object], repeats: int) -> dict[str, list[Run]]:
    """Run a command of each code, in turns, after one run of each that does not count."""
    runs: dict[str, list[Run]] = {code.name: [] for code in codes}
    for number, code in itertools.product(range(repeats + 1), codes):
        run = code.run(words)
        if number:
            runs[code.name].append(run)
    return runs


def summary(runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Medians, quartiles and ratios, for the result file."""
    found: dict[str, Any] = {}
    for name, each in runs.items():
        found[name] = {
            "wall": Timing.of([run.wall for run in each]).record(),
            "cpu": Timing.of([run.cpu for run in each]).record(),
            "peak_mib": significant(Timing.of([run.mib for run in each]).median),
        }
    old, new = found["old"], found["new"]
    ratios = {kind: new[kind]["median_s"] / old[kind]["median_s"] for kind in ("wall", "cpu")}
    ratios["peak_mib"] = new["peak_mib"] / old["peak_mib"]
    return found | {"ratios": {kind: significant(ratio, 3) for kind, ratio in ratios.items()}}


def first_runs(codes: Sequence[Code], words: Sequence[object], count: int, scratch: Path) -> dict[str, Any]:
    """Seconds of the clock of first runs, in homes that have no caches, and of the compilation in them."""
    found: dict[str, Any] = {}
    for code in codes:
        rows = []
        for number in range(count):
            environment = code.environment(scratch / f"home-{code.name}-{number}")
            environment["NUMBA_CACHE_DIR"] = str(scratch / f"home-{code.name}-{number}" / "numba")
            first, later = code.run(words, environment), code.run(words, environment)
            rows.append((first.wall, later.wall))
        first_s = Timing.of([first for first, _ in rows]).median
        compiling = Timing.of([max(0.0, first - later) for first, later in rows]).median
        found[code.name] = {"wall_s": significant(first_s), "compiling_s": significant(compiling)}
    return found


def repeated(code: Code, photo: Path, strokes: int, count: int) -> dict[str, Any]:
    """Memory of one process after each of several paintings.

    Raises:
        BenchmarkError: it fails.
    """
    command = [sys.executable, "-c", REPEAT, str(photo), str(strokes), str(count)]
    done = subprocess.run(
        command, cwd=code.folder, env=code.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError((done.stderr.strip() or "painting again and again fails").splitlines()[-1])
    sizes = json.loads(done.stdout)
    settled = min(SETTLED, len(sizes)) - 1
    return {
        "paintings": count,
        "mib": [round(size, 1) for size in sizes],
        "growth_mib": round(sizes[-1] - sizes[settled], 1),
    }


def stages(code: Code, photo: Path, strokes: int, repeats: int, scratch: Path) -> dict[str, Any]:
    """Seconds of the clock and of processors that each stage of one painting takes: medians.

    Raises:
        BenchmarkError: it fails.
    """
    command = [sys.executable, "-c", STAGES, str(photo), str(strokes), str(scratch)]
    rounds = []
    for _ in range(repeats):
        done = subprocess.run(
            command, cwd=code.folder, env=code.environment(), capture_output=True, text=True
        )
        if done.returncode:
            raise BenchmarkError((done.stderr.strip() or "a painting fails").splitlines()[-1])
        rounds.append(json.loads(done.stdout))
    return {
        name: {
            kind: significant(Timing.of([found[name][n] for found in rounds]).median)
            for n, kind in enumerate(("wall_s", "cpu_s"))
        }
        for name in rounds[0]
    }


def measure_all(args: argparse.Namespace, old: Path, scratch: Path) -> dict[str, Any]:
    """All cases that are asked for."""
    codes = [Code(name, folder, scratch / name) for name, folder in (("old", old), ("new", ROOT))]
    for code in codes:
        code.home.mkdir()
    photo, out = scratch / "photo.jpg", scratch / "out"
    photograph(photo)
    painting = ("paint", photo, "--strokes", args.strokes, "--out", out)
    found: dict[str, Any] = {}
    for case in (case for case in CASES if case in args.cases):
        print(case, file=sys.stderr)
        if case in PAINTED:
            found[case] = summary(in_turns(codes, [*painting, *PAINTED[case]], args.repeats))
        elif case == "render":
            codes[0].run([*painting, "--preset", "draft", "--formats", "json"])
            words = ("render", out / "photo_painted.json", "--out", out)
            found[case] = summary(in_turns(codes, words, args.repeats))
        elif case == "first":
            found[case] = first_runs(codes, [*painting, *PAINTED["draft"]], args.first, scratch)
        elif case == "stages":
            found[case] = stages(codes[1], photo, args.strokes, args.repeats, scratch)
        else:
            found[case] = repeated(codes[1], photo, args.strokes, args.paintings)
    return found


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    heads = (
        "case",
        *(f"{kind}, {name}" for kind in ("wall", "cpu", "MiB") for name in ("old", "new", "ratio")),
    )
    rows = []
    for case, row in found.items():
        if "ratios" in row:
            cells = []
            for kind in ("wall", "cpu"):
                times = [row[name][kind] for name in ("old", "new")]
                cells += [f"{time['median_s']:.2f} ({time['iqr_s']:.2f})" for time in times]
                cells.append(f"{row['ratios'][kind]:.2f}")
            memory = [f"{row[name]['peak_mib']:.0f}" for name in ("old", "new")]
            rows.append([case, *cells, *memory, f"{row['ratios']['peak_mib']:.2f}"])
    if rows:
        print(f"Seconds: medians, and interquartile ranges in brackets\n\n{table(heads, rows)}\n")
    if "first" in found:
        lines = [
            [name, f"{row['wall_s']:.1f}", f"{row['compiling_s']:.1f}"]
            for name, row in found["first"].items()
        ]
        print(table(("first run", "seconds", "of these compiling"), lines), end="\n\n")
    if "stages" in found:
        lines = [
            [name, f"{row['wall_s']:.2f}", f"{row['cpu_s']:.2f}"] for name, row in found["stages"].items()
        ]
        print(table(("stage of one painting", "seconds", "of processors"), lines), end="\n\n")
    if "thirty" in found:
        row = found["thirty"]
        print(
            f"{row['paintings']} paintings in one process: {row['mib'][0]} MiB after the first, "
            f"{row['mib'][-1]} after the last, {row['growth_mib']} more than once settled"
        )


def parse() -> argparse.Namespace:
    parser = Parser(prog="start.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--commit", default="f733fcb", help="the old code")
    parser.add_argument("--old", metavar="FOLDER", type=Path, help="the old code, instead of a commit")
    parser.add_argument("--repeats", type=positive, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--strokes", type=positive, default=300)
    parser.add_argument("--first", type=positive, default=1, help="first runs of each, for case `first`")
    parser.add_argument("--paintings", type=positive, default=30, help="of case `thirty`")
    parser.add_argument("--out", metavar="JSON", type=Path, default=RESULTS / "start.json")
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """The whole benchmark.

    Raises:
        BenchmarkError: there is no such old code, or a command fails.
    """
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if args.old is None:
            old, name = scratch / "checkout", stack.enter_context(checkout(args.commit, scratch / "checkout"))
        elif (args.old / "semantic_guidance" / "__main__.py").is_file():
            old, name = args.old.resolve(), None
        else:
            raise BenchmarkError(f"--old: {args.old} does not hold semantic_guidance")
        neighbours = Neighbours()
        found = measure_all(args, old, scratch)
    settings = {"old": name, "side": SIDE, "strokes": args.strokes}
    write_results(args.out, "start", neighbours, {"settings": settings, "results": found})
    print(headline(neighbours) + "\n")
    show(found)


def main() -> int:
    args = parse()
    return finish("start.py", lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
