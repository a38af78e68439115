"""How long the files take that are the most work among those that are accepted.

``python benchmarks/worst.py [NAME ...]`` writes each file of `CASES`, or those named, once, and compares with
what docs/formats.md states: a quarter of an hour of one core for each file, a minute for a plotter's order.
Where the time grows with the work that is counted, a small share of the largest one is done, and the time of
all of it told. Times are the processor's, of one thread.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, Parser, finish, headline, significant, table, write_results
from numpy.typing import NDArray

from semantic_guidance.apps.work import MAX_WORK, work
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.machine import Neighbours
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export.passes import Line, in_passes
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import DrawnLayer
from semantic_guidance.renderer.backends.cpu.threads import renderer_threads

QUARTER, MINUTE = 900.0, 60.0
BRUSHES = ("oil", "knife", "gouache", "watercolor", "ink", "pencil")

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A file.

    Attributes:
        make: its drawing.
        format: of the file; ``order`` for a plotter's order alone.
        largest: whether it is the largest that is accepted; else the time is scaled to the largest work.
        stated: seconds at most.
    """

    make: Callable[[], Any]
    format: str = "png"
    largest: bool = False
    stated: float = QUARTER


def strokes(count: int, spread: float = 1.0, radius: float = 0.05, seed: int = 0) -> Array:
    """Random ones ``[N, 13]``: bent by `spread`, as wide as `radius`."""
    random = np.random.default_rng(seed)
    vectors = random.random((count, 13)).astype(np.float32)
    vectors[:, :6] = np.tile(random.random((count, 2)), 3) + spread * (vectors[:, :6] - 0.5)
    vectors[:, 6:8] = radius * (0.5 + 0.5 * vectors[:, 6:8])
    return vectors


def drawing(vectors: Array, side: int, brush: str = "flat", **parts: Any) -> Drawing:
    """One layer on a square canvas."""
    return Drawing((DrawnLayer(vectors),), (1.0, 1.0, 1.0), side, side, brush=Brush(brush), **parts)


def masked(count: int, side: int, of: int, layers: int | None = None, **parts: Any) -> Drawing:
    """Layers of a stroke each, under so many different masks of the side `of`."""
    rows, columns = np.indices((of, of), dtype=np.float32)
    masks = tuple(
        ((rows * (1 + n % 7) + columns * (1 + n % 5) + n) % 37 < 18).astype(np.float32)[None]
        for n in range(count)
    )
    made = strokes(layers or count, 0.05, 0.01)
    some = tuple(DrawnLayer(made[n : n + 1], "foreground", n % count, n % count) for n in range(len(made)))
    return Drawing(some, (1.0, 1.0, 1.0), side, side, masks=masks, **parts)


def fading(count: int) -> Drawing:
    """Strokes from transparent to opaque."""
    vectors = strokes(count, 0.2, 0.01)
    vectors[:, 8], vectors[:, 9] = 0, 1
    return drawing(vectors, 1024)


def lines(points: NDArray[np.float64], width: float, colors: int) -> list[Line]:
    """Lines ``[N, 3, 2]`` in mm in turn of each colour."""
    return [Line(line, width, f"#{n % colors:06x}") for n, line in enumerate(points)]


def scattered(count: int, length: float) -> NDArray[np.float64]:
    """Random lines on a sheet."""
    random = np.random.default_rng(0)
    return random.random((count, 1, 2)) * [297, 210] + random.normal(0, length, (count, 3, 2))


def diagonals(count: int) -> NDArray[np.float64]:
    """Parallel lines that do not touch, though their frames overlap."""
    apart = np.linspace(-60, 60, count)[:, None, None] * np.array([1, -1])
    return np.array([[60, 60], [110, 110], [160, 160.0]]) + apart


CASES: dict[str, Case] = {
    **{
        f"large strokes, {name}": Case(lambda name=name: drawing(strokes(12, 0.5, 0.2), 1600, name))
        for name in BRUSHES
    },
    **{
        f"thin strokes, {name}": Case(lambda name=name: drawing(strokes(3000, 0.7, 0.002), 1600, name))
        for name in BRUSHES
    },
    "large strokes, flat": Case(lambda: drawing(strokes(300, 0.5, 0.3), 2048)),
    "thin strokes, flat": Case(lambda: drawing(strokes(600, 1.0, 0.001), 2048)),
    "200,000 small strokes, flat": Case(lambda: drawing(strokes(200_000, 0.005, 0.002), 512), largest=True),
    "200,000 small strokes, oil": Case(
        lambda: drawing(strokes(200_000, 0.005, 0.002), 512, "oil"), largest=True
    ),
    "the papers' rule": Case(
        lambda: Drawing(
            (DrawnLayer(strokes(60), "foreground", 0, 0, "seed"),),
            (1.0, 1.0, 1.0),
            1024,
            1024,
            masks=(np.ones((1, 64, 64), np.float32),),
        )
    ),
    "masks in turn": Case(lambda: masked(30, 4096, 256, 60)),
    "a transparent object": Case(lambda: masked(60, 2048, 256, 60, transparent="object")),
    "height of pencil": Case(lambda: drawing(strokes(12, 0.5, 0.2), 1600, "pencil"), "height.png"),
    "outlines, svg": Case(lambda: drawing(strokes(2000, 0.5, 0.02), 1024), "svg"),
    "fading strokes, svg": Case(lambda: fading(2000), "svg"),
    "fading strokes, exact.svg": Case(lambda: fading(60), "exact.svg"),
    "5,000 masks, svg": Case(lambda: masked(5000, 128, 128), "svg", largest=True),
    "5,000 masks, exact.svg": Case(lambda: masked(5000, 128, 128), "exact.svg", largest=True),
    "5,000 masks, html": Case(lambda: masked(5000, 300, 128), "html", largest=True),
    "200,000 strokes, mp4": Case(lambda: drawing(strokes(200_000, 0.02, 0.004), 720), "mp4", largest=True),
    **{
        f"a film of {name}, mp4": Case(
            lambda name=name: drawing(strokes(5000, 0.1, 0.01), 720, name), "mp4", largest=True
        )
        for name in ("oil", "watercolor")
    },
    "200,000 colours, recipes": Case(
        lambda: drawing(strokes(200_000, 0.02, 0.01), 720), "recipes.json", largest=True
    ),
    "30,000 lines, short": Case(lambda: lines(scattered(30_000, 3), 0.5, 12), "order", True, MINUTE),
    "30,000 lines, long": Case(lambda: lines(scattered(30_000, 10), 0.1, 12), "order", True, MINUTE),
    "20,000 lines, on one another": Case(lambda: lines(scattered(20_000, 30), 1, 12), "order", True, MINUTE),
    "20,000 thin lines, on one another": Case(
        lambda: lines(scattered(20_000, 40), 0.01, 12), "order", True, MINUTE
    ),
    "20,000 parallel lines": Case(lambda: lines(diagonals(20_000), 0.001, 12), "order", True, MINUTE),
    "30,000 parallel lines": Case(lambda: lines(diagonals(30_000), 0.001, 12), "order", True, MINUTE),
}


def measured(case: Case) -> dict[str, Any]:
    """Seconds of a case, how much of the largest work it is, and the seconds of that."""
    made, share, refused = case.make(), 1.0, None
    with tempfile.TemporaryDirectory() as folder, renderer_threads(1):
        if not case.largest:
            share = work(made, [case.format]) / MAX_WORK
            warm = replace(made, layers=(replace(made.layers[0], strokes=made.layers[0].strokes[:1]),))
            EXPORTERS.get(case.format).write(warm, Path(folder) / f"warm.{case.format}")
        started = time.process_time()
        try:
            if case.format == "order":
                in_passes(made)
            else:
                EXPORTERS.get(case.format).write(made, Path(folder) / f"a.{case.format}")
        except InputError as error:
            refused = str(error).partition(", wanted")[0]
        seconds = time.process_time() - started
    return {
        "seconds": significant(seconds, 3),
        "share": significant(share, 3),
        "seconds_of_the_largest": significant(seconds / share, 3),
        "stated_s": case.stated,
        "refused": refused,
    }


def main() -> None:
    """Measure, print a table and write the results."""
    parser = Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"parts of the names of cases: {', '.join(CASES)}")
    parser.add_argument("--results", type=Path, default=RESULTS / "worst.json")
    args = parser.parse_args()
    neighbours, results = Neighbours(), {}
    for name, case in CASES.items():
        if not args.names or any(word in name for word in args.names):
            results[name] = measured(case)
            print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    print(headline(neighbours))
    heads = ("file", "seconds", "of the largest work", "the largest: seconds", "stated")
    rows = [[name, *list(found.values())[:4]] for name, found in results.items()]
    print(table(heads, rows))
    if not args.names:
        write_results(args.results, "worst", neighbours, {"cases": results})


if __name__ == "__main__":
    sys.exit(finish("worst.py", main))
