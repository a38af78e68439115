"""How many pictures are painted in a minute by one command, and how much memory its workers take.

    python benchmarks/batch.py [--pictures 8] [--presets draft standard] [--repeats 1] [--cases workers memory ray]

The real command paints a folder of pictures, made of the examples, again and again: with one worker on one core, with
one on all cores, and with two, in turns. Prints tables in Markdown and writes `benchmarks/results/batch.json`.

"a minute" is of the whole command, with its start; "running" leaves the start out: from when each
worker has done one picture to the last one. The gain of two workers is told against one on one core; one on all cores has threads to use.

`memory` paints pictures of 24 megapixels and watches the workers: the greatest share of the memory that each has at a
time (PSS: pages that several processes share are divided among them), and the same counted whole (RSS). `ray` paints
the same pictures with two workers on a Ray cluster of this machine alone, which it starts, if Ray is installed.
"""  # noqa: E501

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import (
    RESULTS,
    ROOT,
    BenchmarkError,
    Neighbours,
    Parser,
    finish,
    headline,
    knowing_orphans,
    significant,
    table,
    write_results,
)
from paint import positive
from PIL import Image, ImageOps
from processes import family

CASES = ("workers", "memory", "ray")
PRESETS = ("draft", "standard")
EXAMPLES = ("astronaut", "chelsea", "coffee", "rocket")
SIDE = 640
MEGAPIXELS = 24
LARGE = 4  # pictures of so many megapixels
AIM_GAIN, AIM_MIB = 1.8, 600
EVERY = 0.1  # seconds between two looks at the memory

Row = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """How the command is run.

    Attributes:
        name: what it is called.
        workers: at the same time.
        cores: that it may use; all if None.
        flags: more of them.
    """

    name: str
    workers: int
    cores: int | None = None
    flags: tuple[str, ...] = ()


SETUPS = (
    Setup("1 worker, 1 core", 1, 1),
    Setup("1 worker, all cores", 1),
    Setup("2 workers", 2),
)
RAY = (Setup("Ray, 2 workers", 2, None, ("--ray", "local")),)


@dataclass
class Memory:
    """What processes take at most, in MiB, by their number.

    Attributes:
        pss: with what they share divided among them.
        rss: counted whole.
        names: their commands.
        total: of all together, by PSS, at the same time.
    """

    pss: dict[int, float] = field(default_factory=dict)
    rss: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    total: float = 0.0

    def look(self, command: int) -> None:
        """Look at a command and all that it has started."""
        together = 0.0
        for path in family(command):
            with contextlib.suppress(OSError):
                lines = dict(
                    line.split(":", 1) for line in (path / "smaps_rollup").read_text().splitlines()[1:]
                )
                pss, rss = (int(lines[name].split()[0]) / 1024 for name in ("Pss", "Rss"))
                process = int(path.name)
                self.names[process] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                self.pss[process] = max(self.pss.get(process, 0), pss)
                self.rss[process] = max(self.rss.get(process, 0), rss)
                together += pss
        self.total = max(self.total, together)

    def workers(self, command: int, count: int) -> list[int]:
        """The processes that took most, without the command itself."""
        others = [process for process in self.pss if process != command]
        return sorted(others, key=lambda process: -self.pss[process])[:count]


def example(number: int) -> Image.Image:
    """An example, each number another one."""
    with Image.open(ROOT / "examples" / f"{EXAMPLES[number % len(EXAMPLES)]}.jpg") as image:
        found = image.convert("RGB")
    turn = number // len(EXAMPLES)
    found = ImageOps.mirror(found) if turn % 2 else found
    share = 0.04 * (turn // 2 % 8)
    width, height = found.size
    return found.crop((round(share * width), 0, width, round((1 - share) * height)))


def make_pictures(folder: Path, count: int, megapixels: float | None = None) -> None:
    """Write pictures of `SIDE` pixels, or of so many megapixels."""
    folder.mkdir(parents=True)
    for number in range(count):
        image = example(number)
        width, height = image.size
        scale = SIDE / max(width, height)
        if megapixels is not None:
            scale = (megapixels * 1e6 / (width * height)) ** 0.5
        size = max(1, int(width * scale)), max(1, int(height * scale))
        image.resize(size, Image.Resampling.LANCZOS).save(folder / f"{number:03}.jpg", quality=92)


def command(setup: Setup, pictures: Path, out: Path, preset: str, args: argparse.Namespace) -> list[str]:
    """What is run."""
    flags = [f"--workers={setup.workers}", f"--out={out}", f"--preset={preset}", f"--strokes={args.strokes}"]
    flags += ["--formats=png", "--json", *setup.flags]
    words = [sys.executable, "-m", "semantic_guidance", "paint", str(pictures), *flags]
    if setup.cores is not None:
        chosen = sorted(os.sched_getaffinity(0))[: setup.cores]
        words = ["taskset", "--cpu-list", ",".join(map(str, chosen)), *words]
    return words


def painted(
    setup: Setup,
    pictures: Path,
    out: Path,
    preset: str,
    args: argparse.Namespace,
    memory: Memory | None = None,
) -> Row:
    """Seconds of a command, and from when each worker has done one picture to the last one.

    Raises:
        BenchmarkError: it fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = command(setup, pictures, out, preset, args)
    began, over = time.perf_counter(), threading.Event()
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )

    def watch() -> None:
        while not over.wait(EVERY):
            if memory is not None:
                memory.look(process.pid)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        _, said = process.communicate(timeout=args.timeout)
    except subprocess.TimeoutExpired:
        process.terminate()
        raise BenchmarkError(f"{' '.join(words)} takes longer than {args.timeout} seconds") from None
    finally:
        over.set()
        watching.join()
        process.wait()
    seconds = time.perf_counter() - began
    count = len(list(pictures.iterdir()))
    lines = [
        json.loads(line) for each in out.glob("manifest*.jsonl") for line in each.read_text().splitlines()
    ]
    done = sorted(record["finished"] for record in lines if not record["error"])
    if process.returncode or len(done) != count:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise BenchmarkError(f"{' '.join(words)}: {len(done)} of {count} pictures were painted: {last}")
    row = {"seconds": seconds, "a_minute": 60 * count / seconds, "process": process.pid}
    return row | {"running": running(done, setup.workers)}


def running(done: Sequence[float], workers: int) -> float | None:
    """Pictures a minute once each worker has done one; None if there are no others.

    The first ones of all workers were begun together: to count from the very first would give others away.

    Args:
        done: seconds at which they were done, in order.
        workers: who did them.
    """
    seconds = done[-1] - done[min(workers, len(done)) - 1]
    return 60 * (len(done) - workers) / seconds if seconds > 0 else None


def throughput(
    setups: Sequence[Setup], args: argparse.Namespace, scratch: Path, known: Sequence[Row] = ()
) -> list[Row]:
    """Pictures a minute, the setups in turns, and the gain over one worker on one core, now or before."""
    pictures = scratch / "pictures"
    if not pictures.exists():
        make_pictures(pictures, args.pictures)
    rows: list[Row] = []
    for preset in args.presets:
        found: dict[Setup, list[Row]] = {setup: [] for setup in setups}
        for turn in range(args.repeats):
            for setup in setups:
                out = scratch / f"{preset}-{setup.name}-{turn}"
                found[setup].append(painted(setup, pictures, out, preset, args))
                rate = found[setup][-1]["a_minute"]
                print(f"{preset}, {setup.name}: {rate:.1f} pictures a minute", file=sys.stderr)
        for setup in setups:
            one = (row for row in [*known, *rows] if row["preset"] == preset)
            rows.append(summary(setup, preset, found[setup], next(one, None)))
    return rows


def summary(setup: Setup, preset: str, found: Sequence[Row], first: Row | None) -> Row:
    """The medians of a setup, and its gain over another one, if there is one."""
    row: Row = {"preset": preset, "setup": setup.name, "workers": setup.workers}
    for what in ("a_minute", "running"):
        values = [each[what] for each in found if each[what] is not None]
        row[what] = significant(statistics.median(values)) if values else None
        other = None if first is None else first[what]
        row[f"{what}_gain"] = significant(row[what] / other, 3) if row[what] and other else None
    rates = [each["a_minute"] for each in found]
    return row | {"least": significant(min(rates)), "most": significant(max(rates)), "repeats": len(rates)}


def memory_of(args: argparse.Namespace, scratch: Path) -> list[Row]:
    """What workers take for large pictures."""
    pictures, rows = scratch / "large", []
    make_pictures(pictures, args.large, MEGAPIXELS)
    for preset in args.presets:
        seen = Memory()
        row = painted(Setup("2 workers", 2), pictures, scratch / f"large-{preset}", preset, args, seen)
        most = seen.workers(row["process"], 2)
        found: Row = {
            "preset": preset,
            "megapixels": MEGAPIXELS,
            "pictures": args.large,
            "workers_pss_mib": [round(seen.pss[each]) for each in most],
            "workers_rss_mib": [round(seen.rss[each]) for each in most],
            "driver_pss_mib": round(seen.pss.get(row["process"], 0)),
            "all_pss_mib": round(seen.total),
            "seconds": significant(row["seconds"]),
        }
        rows.append(found)
        print(f"{preset}, {MEGAPIXELS} megapixels: {found['workers_pss_mib']} MiB", file=sys.stderr)
    return rows


def has_ray() -> bool:
    """Whether Ray is there, and the command can use it."""
    if importlib.util.find_spec("ray") is None:
        return False
    words = [sys.executable, "-m", "semantic_guidance", "paint", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return "--ray" in subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True).stdout


def show(found: dict[str, list[Row]]) -> None:
    """Print the tables and what was missed."""
    heads = ("preset", "", "pictures a minute", "least to most", "gain", "running", "gain")
    rows = [
        [
            row["preset"],
            row["setup"],
            row["a_minute"],
            f"{row['least']:g} to {row['most']:g}",
            row["a_minute_gain"] or "",
            row["running"] or "",
            row["running_gain"] or "",
        ]
        for row in [*found.get("workers", []), *found.get("ray", [])]
    ]
    if rows:
        print(table(heads, rows), end="\n\n")
    kinds = ("workers_pss_mib", "workers_rss_mib", "driver_pss_mib", "all_pss_mib")
    if "memory" in found:
        taken = ("preset, 24 megapixels", "workers, PSS MiB", "RSS", "command, PSS", "all, PSS")
        cells = [[row["preset"], *(row[kind] for kind in kinds)] for row in found["memory"]]
        print(table(taken, cells), end="\n\n")
    losses = missed(found)
    print("\n".join(["Missed:", *losses]) if losses else "Nothing was missed.")


def missed(found: dict[str, list[Row]]) -> list[str]:
    """Which aims are missed, and by what."""
    losses = []
    for row in [*found.get("workers", []), *found.get("ray", [])]:
        gain = row["running_gain"] or row["a_minute_gain"]
        if row["workers"] == 2 and gain is not None and gain < AIM_GAIN:
            losses.append(f"{row['preset']}, {row['setup']}: {gain} times one, wanted {AIM_GAIN}")
    for row in found.get("memory", []):
        most = max(row["workers_pss_mib"], default=0)
        if most > AIM_MIB:
            losses.append(f"{row['preset']}: {most} MiB a worker, wanted {AIM_MIB}")
    return losses


def measure_all(args: argparse.Namespace, scratch: Path) -> dict[str, list[Row]]:
    """All cases that are asked for and possible."""
    warm = scratch / "warm"
    make_pictures(warm, 1)
    painted(Setup("warm", 1), warm, scratch / "warmed", args.presets[0], args)
    made: dict[str, Callable[[], list[Row]]] = {
        "workers": lambda: throughput(SETUPS, args, scratch),
        "memory": lambda: memory_of(args, scratch),
        "ray": lambda: throughput(RAY, args, scratch, found.get("workers", ())),
    }
    found: dict[str, list[Row]] = {}
    for case in [case for case in CASES if case in args.cases]:
        if case == "ray" and not has_ray():
            print("ray: skipped, it is not installed", file=sys.stderr)
            continue
        found[case] = made[case]()
    return found


def parse() -> argparse.Namespace:
    parser = Parser(prog="batch.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=positive, default=8)
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--strokes", type=positive, default=300)
    parser.add_argument("--repeats", type=positive, default=1)
    parser.add_argument("--large", type=positive, default=LARGE, help="pictures of 24 megapixels")
    parser.add_argument("--timeout", type=positive, default=600, help="seconds of a command at most")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--quick", action="store_true", help="a few drafts")
    parser.add_argument("--out", metavar="JSON", type=Path, default=RESULTS / "batch.json")
    args = parser.parse_args()
    if args.quick:
        vars(args).update(pictures=3, presets=["draft"], strokes=20, repeats=1, large=2)
    if sys.platform != "linux":
        parser.error("processes are bound to cores and watched as Linux does it, wanted Linux")
    return args


def run(args: argparse.Namespace) -> None:
    """The whole benchmark.

    Raises:
        BenchmarkError: a command fails.
    """
    neighbours = Neighbours()
    with knowing_orphans(), tempfile.TemporaryDirectory() as name:
        found = measure_all(args, Path(name))
    settings = {"pictures": args.pictures, "side": SIDE, "strokes": args.strokes, "repeats": args.repeats}
    write_results(args.out, "batch", neighbours, {"settings": settings, "results": found})
    print(headline(neighbours) + "\n")
    show(found)


def main() -> int:
    args = parse()
    return finish("batch.py", lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
