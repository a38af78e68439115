"""What visitors of the studio wait for, and how it bears twenty of them at once.

    python benchmarks/serve.py [--repeats 7] [--cases glance first whole stop load]

The command serves on loopback, and is asked as a page asks it. Prints tables in Markdown and writes
`benchmarks/results/serve.json`: medians and interquartile ranges.

Cases: `glance` is from a photograph that was chosen to its first outlines, `guidance` to all that was found
in it; `click` is each further click; `first` is from an order to the first strokes that are told; `whole` is
a painting of 300 strokes, and the command line's of the same job, in turns; `stop` is from a stop to the end
of the work. In `load`, twenty
visitors order three small paintings each while somebody asks for the page again and again and one painter is
killed: how many came back, whose they were, how long requests took, and how much memory it all took.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import (
    RESULTS,
    ROOT,
    BenchmarkError,
    Neighbours,
    Parser,
    Timing,
    finish,
    headline,
    knowing_orphans,
    milliseconds,
    significant,
    table,
    write_results,
)
from paint import positive
from PIL import Image
from processes import family, memory
from studio import Client, serving

CASES = ("glance", "guidance", "click", "first", "whole", "stop", "load")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
SIDE = 400
JOB = {"strokes": 300}
SMALL = {"strokes": 30, "size": 128, "preset": "draft"}
VISITORS, EACH = 20, 3
PAUSE = 0.05  # seconds between two requests of who only looks at pages
ASKED = ("/", "/api/options", "/api/health")


def photograph(name: str, number: int = 0) -> bytes:
    """An example as a JPEG of `SIDE` pixels, each number another one in a bit."""
    with Image.open(ROOT / "examples" / f"{name}.jpg") as image:
        image.thumbnail((SIDE, SIDE))
        image.putpixel((0, 0), (number % 256, number // 256, 0))
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=95)
    return packed.getvalue()


def repeated(function: Callable[[int], float], repeats: int) -> Timing:
    """Seconds of repeated calls, after one that does not count; each gets its number."""
    return Timing.of([function(number) for number in range(repeats + 1)][1:])


def photographs() -> Iterator[bytes]:
    """Photographs, each another one."""
    for number in itertools.count():
        yield photograph(PHOTOGRAPHS[number % len(PHOTOGRAPHS)], number)


def guidance(client: Client, repeats: int, **question: bool) -> dict[str, Any]:
    """From a photograph to what was found in it."""
    photos = photographs()

    def once(number: int) -> float:
        photo = next(photos)
        began = time.perf_counter()
        client.look(client.picture(photo), **question)
        return time.perf_counter() - began

    return repeated(once, repeats).record()


def click(client: Client, repeats: int) -> dict[str, Any]:
    """Each further click on a picture."""
    picture = client.picture(photograph("coffee", 999))
    points = [[200, 150, True]]
    client.look(picture, points=points)

    def once(number: int) -> float:
        points.append([60 + 20 * number, 100, number % 2 == 0])
        began = time.perf_counter()
        client.look(picture, points=points)
        return time.perf_counter() - began

    return repeated(once, repeats).record()


def first(client: Client, repeats: int) -> dict[str, Any]:
    """From an order to the first strokes."""
    picture = client.picture(photograph("coffee"))
    known = client.look(picture, whole=True)

    def once(number: int) -> float:
        began = time.perf_counter()
        painting = client.paint(picture, {**JOB, "seed": number}, guidance=known)
        next(data for name, data in client.events(painting) if name == "strokes" and data["count"])
        seconds = time.perf_counter() - began
        client.ask("POST", f"/api/paintings/{painting}/stop")
        client.ended(painting)
        return seconds

    return repeated(once, repeats).record()


def whole(client: Client, repeats: int, scratch: Path) -> dict[str, Any]:
    """A painting, and the command line's, in turns."""
    photo = scratch / "photo.jpg"
    photo.write_bytes(photograph("coffee"))
    picture = client.picture(photo.read_bytes())
    flags = [f"--{name}={value}" for name, value in JOB.items()] + ["--formats=json", "--overwrite"]
    command = [
        sys.executable,
        "-m",
        "semantic_guidance",
        "paint",
        photo,
        *flags,
        "--formats",
        "json",
        "--overwrite",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {"studio": [], "command": []}
    for _ in range(repeats + 1):
        began = time.perf_counter()
        client.ended(client.paint(picture, JOB))
        times["studio"].append(time.perf_counter() - began)
        began = time.perf_counter()
        subprocess.run([*command, "--out", scratch], env=environment, check=True, stdout=subprocess.DEVNULL)
        times["command"].append(time.perf_counter() - began)
    found: dict[str, Any] = {name: Timing.of(each[1:]).record() for name, each in times.items()}
    found["ratio"] = significant(found["studio"]["median_s"] / found["command"]["median_s"], 3)
    return found


def stop(client: Client, repeats: int) -> dict[str, Any]:
    """From a stop to the end of the work, at different moments."""
    picture = client.picture(photograph("coffee"))
    known = client.look(picture, whole=True)

    def once(number: int) -> float:
        painting = client.paint(picture, {**JOB, "seed": number}, guidance=known)
        events = client.events(painting)
        next(data for name, data in events if name == "strokes")
        time.sleep(0.2 * (number % 4))
        began = time.perf_counter()
        client.ask("POST", f"/api/paintings/{painting}/stop")
        record = next(data for name, data in events if name == "end")
        seconds = time.perf_counter() - began
        if record["state"] != "stopped" or client.values("GET", "/api/health")["running"]:
            raise BenchmarkError(f"a painting was not stopped, but is {record['state']}")
        return seconds

    return repeated(once, repeats).record()


@dataclass
class Load:
    """What became of many visitors.

    Attributes:
        asked: seconds of requests for pages.
        states: how paintings ended, and how many.
        mixed: paintings that were another visitor's.
        most: greatest memory of all processes together, in MiB.
    """

    asked: list[float] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    mixed: int = 0
    most: float = 0.0


def load(client: Client, server: int, visitors: int) -> dict[str, Any]:
    """Many visitors at once."""
    found, over, lock = Load(), threading.Event(), threading.Lock()

    def visit(number: int) -> None:
        photo = photograph(PHOTOGRAPHS[number % len(PHOTOGRAPHS)], number)
        visitor = Client(client.place, hashlib.sha256(bytes([number])).hexdigest()[:16])
        picture = visitor.picture(photo)
        orders = [{**SMALL, "seed": 100 * number + n} for n in range(EACH)]
        paintings = [visitor.paint(picture, job) for job in orders]
        for painting, job in zip(paintings, orders, strict=True):
            record = visitor.ended(painting)
            own = record["picture"] == picture and record["job"]["seed"] == job["seed"]
            with lock:
                found.states[record["state"]] = found.states.get(record["state"], 0) + 1
                found.mixed += not own

    def look_on() -> None:
        for path in itertools.cycle(ASKED):
            if over.is_set():
                return
            began = time.perf_counter()
            client.ask("GET", path)
            found.asked.append(time.perf_counter() - began)
            found.most = max(found.most, memory(server))
            time.sleep(PAUSE)

    looking = threading.Thread(target=look_on)
    before = memory(server)
    looking.start()
    began = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        visits = [pool.submit(visit, number) for number in range(visitors)]
        while sum(found.states.values()) < visitors * EACH // 2 and not all(each.done() for each in visits):
            time.sleep(0.05)
        os.kill(busiest(server), signal.SIGKILL)
        for each in visits:
            each.result()
    seconds = time.perf_counter() - began
    over.set()
    looking.join()
    ranked = sorted(found.asked)
    return {
        "visitors": visitors,
        "paintings": visitors * EACH,
        "states": found.states,
        "mixed_up": found.mixed,
        "seconds": significant(seconds),
        "requests": len(ranked),
        "p50_s": significant(ranked[len(ranked) // 2]),
        "p95_s": significant(ranked[int(0.95 * len(ranked))]),
        "worst_s": significant(ranked[-1]),
        "mib_before": round(before),
        "mib_most": round(found.most),
        "mib_after": round(memory(server)),
    }


def busiest(server: int) -> int:
    """Of its processes that others go before, the one that works: a painter."""

    def used() -> dict[int, int]:
        found = {}
        for path in family(server):
            with contextlib.suppress(OSError, IndexError):
                words = (path / "stat").read_text().rpartition(")")[2].split()
                if int(words[16]) > os.nice(0):
                    found[int(path.name)] = int(words[11]) + int(words[12])
        return found

    before = used()
    time.sleep(0.2)
    return max((ticks - before.get(process, ticks), process) for process, ticks in used().items())[1]


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    timed = {case: found[case] for case in ("glance", "guidance", "click", "first", "stop") if case in found}
    if "whole" in found:
        timed |= {f"whole, {name}": found["whole"][name] for name in ("studio", "command")}
    rows = [[case, milliseconds(row["median_s"]), milliseconds(row["iqr_s"])] for case, row in timed.items()]
    if rows:
        print(table(("case", "median", "interquartile range"), rows), end="\n\n")
    if "load" in found:
        print(table(("load", ""), [[name, value] for name, value in found["load"].items()]))


def measure_all(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All cases that are asked for."""
    found: dict[str, Any] = {}
    with serving(scratch) as (client, server):
        made: dict[str, Callable[[], dict[str, Any]]] = {
            "glance": lambda: guidance(client, args.repeats, rough=True),
            "guidance": lambda: guidance(client, args.repeats, whole=True),
            "click": lambda: click(client, args.repeats),
            "first": lambda: first(client, args.repeats),
            "whole": lambda: whole(client, args.repeats, scratch),
            "stop": lambda: stop(client, args.repeats),
            "load": lambda: load(client, server, args.visitors),
        }
        for case in CASES:
            if case in args.cases:
                print(case, file=sys.stderr)
                found[case] = made[case]()
    return found


def parse() -> argparse.Namespace:
    parser = Parser(prog="serve.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=positive, default=7)
    parser.add_argument("--visitors", type=positive, default=VISITORS, help="of case `load`")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--out", metavar="JSON", type=Path, default=RESULTS / "serve.json")
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """The whole benchmark.

    Raises:
        BenchmarkError: the studio does not start, or refuses something.
    """
    neighbours = Neighbours()
    with knowing_orphans(), tempfile.TemporaryDirectory() as name:
        found = measure_all(args, Path(name))
    settings = {"side": SIDE, "strokes": JOB["strokes"], "repeats": args.repeats}
    write_results(args.out, "serve", neighbours, {"settings": settings, "results": found})
    print(headline(neighbours) + "\n")
    show(found)


def main() -> int:
    args = parse()
    return finish("serve.py", lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
