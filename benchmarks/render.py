"""Speed of the renderer: many strokes at 128 x 128, against a neural renderer, and at larger sizes.

    python benchmarks/render.py [--against COMMIT]
    python benchmarks/render.py --device cuda    # see card.py; writes render_cuda.json

Prints tables in Markdown and writes `benchmarks/results/render.json`. Times are medians after a warm-up, with
quartiles. "Forward" is painting without gradients; "forward + backward" starts at the strokes' numbers and
ends at their gradient, with the conversion from LTP vectors where the strokes are given as such.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import against
import card
import numpy as np
import torch
from common import (
    RESULTS,
    ROOT,
    BenchmarkError,
    Neighbours,
    Parser,
    Timing,
    headline,
    measure,
    measure_parts,
    milliseconds,
    significant,
    table,
    timed,
    write_results,
)
from neural_renderer import NeuralRenderer, paint
from torch import Tensor

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.cpu.bands import Shape, Tape
from semantic_guidance.renderer.backends.cpu.bands import paint as paint_bands
from semantic_guidance.renderer.backends.cpu.layout import BLOCK, HEADS
from semantic_guidance.renderer.backends.cpu.pool import NOTHING, POOL, memory

SIDE = 128
GOAL_SECONDS, GOAL_RATIO = 0.010, 60.0  # 250 random strokes, forward and backward, on all threads
GOAL_LARGE_SECONDS, GOAL_LARGE_MIB = 0.8, 2048.0  # 10,000 short strokes at 2048 x 2048
LARGEST = (2048, 10_000)
MAX_THREADS = POOL.count


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        strokes: of the cases at 128 x 128.
        repeats: of a fast case; slow cases have a share of it.
        sizes: sides of the canvases of the scaling table.
        counts: strokes of the scaling table.
        batch: canvases of the training case.
        preset: of the painting from which painting strokes are taken.
    """

    strokes: int = 250
    repeats: int = 40
    sizes: tuple[int, ...] = (512, 1024, 2048)
    counts: tuple[int, ...] = (100, 1_000, 10_000)
    batch: int = 96
    preset: str = "standard"


FULL = Effort()
TINY = Effort(strokes=8, repeats=2, sizes=(64,), counts=(5, 10), batch=2, preset="draft")


def random_vectors(batch: int, count: int) -> Tensor:
    """Uniform LTP vectors ``[batch, count, 13]``, radii scaled by 0.8."""
    vectors = torch.rand(batch, count, 13, generator=torch.Generator().manual_seed(0))
    vectors[..., 6:8] *= 0.8
    return vectors


def painting_vectors(count: int, preset: str) -> Tensor:
    """Packed strokes ``[1, count, 13]`` of a painting of the middle of examples/chelsea.jpg."""
    from semantic_guidance.images.files import load_image
    from semantic_guidance.painter.painter import Painter

    picture = load_image(ROOT / "examples" / "chelsea.jpg")
    side = min(picture.shape[1:])
    top, left = ((length - side) // 2 for length in picture.shape[1:])
    square = picture[:, top : top + side, left : left + side].contiguous()
    return Painter(preset=preset, strokes=count).paint(square, Guidance.none()).strokes.pack().contiguous()


def short_strokes(count: int) -> Tensor:
    """Packed strokes ``[1, count, 13]`` up to 3 % of the canvas long, with radii of 0.3 to 1 % of it."""
    vectors = torch.rand(1, count, 13, generator=torch.Generator().manual_seed(0))
    vectors[..., 2:6] = vectors[..., :2].repeat(1, 1, 2) + 0.04 * (vectors[..., 2:6] - 0.5)
    vectors[..., 6:8] = 0.003 + 0.007 * vectors[..., 6:8]
    return vectors


def covered_pixels(vectors: Tensor, side: int) -> tuple[int, int]:
    """Pixels that strokes cover (each stroke's counted apart), and pixels of the spans that were walked."""
    tape, canvas = Tape(), memory(np.zeros((3, side, side), np.float32))
    packed = memory(vectors.detach().contiguous().numpy())
    paint_bands(Shape(1, vectors.shape[1], side, side), packed, canvas, canvas, NOTHING, 1.0, tape)
    covered = walked = 0
    for piece in (piece for part in tape.parts for piece in part):
        heads = piece.chunk.arrays["heads"][: piece.reached[3]].reshape(-1, HEADS).astype(np.int64)
        first, end, inner, inner_end = heads[heads[:, 0] < heads[:, 1]].T
        blocks = -(-end // BLOCK) - first // BLOCK  # of three colours each, before the edges' coverages
        edges = inner - first + end - inner_end
        room = -(-edges // BLOCK) * BLOCK
        ends = np.cumsum(3 * BLOCK * blocks + 2 * room)
        kept = piece.chunk.arrays["tape"]
        for start, number in zip(ends - 2 * room, edges, strict=True):
            covered += int((kept[start : start + number] > 0).sum())
        covered += int((inner_end - inner).sum())
        walked += int((end - first).sum())
    return covered, walked


class Case:
    """A way of painting, to be timed without and with gradients."""

    def __init__(self, vectors: Tensor, function: Callable[[Tensor], Tensor]) -> None:
        self.vectors = vectors.clone().requires_grad_()
        self.function = function
        with torch.no_grad():
            self.cotangent = torch.randn(function(vectors).shape, generator=torch.Generator().manual_seed(1))

    def forward(self) -> None:
        """Paint without gradients."""
        with torch.no_grad():
            self.function(self.vectors)

    def both(self) -> tuple[float, float]:
        """Seconds of painting with gradients in view, and of computing them."""
        self.vectors.grad = None
        painted: list[Tensor] = []
        first = timed(lambda: painted.append(self.function(self.vectors)))
        return first, timed(lambda: painted[0].backward(self.cotangent))

    def round_trip(self) -> None:
        """Forward and backward."""
        self.both()


class Threads(AbstractContextManager[None]):
    """Runs a block with that many threads of the renderer and torch."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __enter__(self) -> None:
        self.before = POOL.count, torch.get_num_threads()
        POOL.count = self.count
        torch.set_num_threads(self.count)

    def __exit__(self, *_: object) -> None:
        POOL.count = self.before[0]
        torch.set_num_threads(self.before[1])


def seed_render(vectors: Tensor) -> Tensor:
    """Our painting of LTP vectors on black."""
    return render(strokes_from_ltp(vectors), torch.zeros(len(vectors), 3, SIDE, SIDE))


def our_render(vectors: Tensor, side: int = SIDE, backend: str = "auto") -> Tensor:
    """Our painting of packed strokes on black."""
    canvas = torch.zeros(len(vectors), 3, side, side)
    return render(Strokes.unpack(vectors), canvas, backend=backend)


def neural_render(network: NeuralRenderer, vectors: Tensor) -> Tensor:
    """The network's painting of LTP vectors on black."""
    return paint(network, vectors, torch.zeros(len(vectors), 3, SIDE, SIDE))


def all_threads() -> list[int]:
    """One thread, and all."""
    return sorted({1, MAX_THREADS})


def small_canvases(effort: Effort) -> list[dict[str, Any]]:
    """Times at 128 x 128: ours and the network's in turns, on one thread and on all."""
    network = NeuralRenderer().requires_grad_(False)  # frozen: only the strokes' gradient is wanted
    seeds, batched = random_vectors(1, effort.strokes), random_vectors(effort.batch, 5)
    strokes = painting_vectors(effort.strokes, effort.preset)
    few = max(2, effort.repeats // 8)
    one = f"{effort.strokes} random strokes"
    many = f"{effort.batch} canvases of 5 random strokes"
    cases = [
        (one, "ours", Case(seeds, seed_render), effort.repeats),
        (one, "neural renderer", Case(seeds, partial(neural_render, network)), few),
        (f"{effort.strokes} strokes of a painting", "ours", Case(strokes, our_render), effort.repeats),
        (many, "ours", Case(batched, seed_render), effort.repeats),
        (many, "neural renderer", Case(batched, partial(neural_render, network)), few),
    ]
    rows = []
    for threads in all_threads():
        for what, who, case, repeats in cases:
            with Threads(threads):
                warmup = 3 if repeats > few else 1
                forward = measure(case.forward, repeats, warmup)
                both = measure(case.round_trip, repeats, warmup)
            rows.append({"case": what, "renderer": who, "threads": threads, "forward": forward, "both": both})
    return rows


def plain_torch(effort: Effort) -> list[dict[str, Any]]:
    """Times of the definition in plain torch, against the kernel, for a small case."""
    count = max(2, effort.strokes // 10)
    strokes = strokes_from_ltp(random_vectors(1, count)).pack()
    rows = []
    threads = all_threads()[-1]
    for backend in ("cpu", "reference"):
        case = Case(strokes, partial(our_render, side=64, backend=backend))
        repeats = effort.repeats if backend == "cpu" else max(2, effort.repeats // 10)
        with Threads(threads):
            forward = measure(case.forward, repeats, 2)
            both = measure(case.round_trip, repeats, 2)
        what = f"{count} random strokes at 64 x 64"
        who = {"cpu": "ours", "reference": "plain torch"}[backend]
        rows.append({"case": what, "renderer": who, "threads": threads, "forward": forward, "both": both})
    return rows


def peak_mib() -> float:
    """The most memory that this process has had, in MiB.

    Linux carries `ru_maxrss` over from the process that started this one, so its own record is read there.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def scale_cell(side: int, count: int, repeats: int) -> dict[str, Any]:
    """Times and memory of `count` short strokes at `side` squared, in this process."""
    our_render(short_strokes(2).requires_grad_(), 32).sum().backward()  # loads the kernels
    before = peak_mib()
    case = Case(short_strokes(count), partial(our_render, side=side))
    times = measure_parts(lambda: [*(parts := case.both()), sum(parts)], repeats, warmup=2)
    peak = peak_mib()
    covered, walked = covered_pixels(case.vectors, side)
    names = ("forward", "backward", "both")
    return {
        "side": side,
        "strokes": count,
        "covered_pixels": covered,
        "walked_pixels": walked,
        **{name: timing.record() for name, timing in zip(names, times, strict=True)},
        "ns_per_covered_pixel": significant(1e9 * times[2].median / covered, 3),
        "us_per_stroke": significant(1e6 * times[2].median / count, 3),
        "peak_mib": round(peak),
        "peak_mib_before": round(before),
    }


def scaling(effort: Effort) -> list[dict[str, Any]]:
    """The scaling table, each cell measured in a process of its own."""
    rows = []
    for side in effort.sizes:
        for count in effort.counts:
            repeats = max(2, effort.repeats // (3 if count < 10_000 else 6))
            words = [sys.executable, __file__, "--cell", str(side), str(count), str(repeats)]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def find(rows: list[dict[str, Any]], case: str, renderer: str, threads: int) -> Timing:
    """Forward and backward of one row of `small_canvases`."""
    for row in rows:
        if (row["case"], row["renderer"], row["threads"]) == (case, renderer, threads):
            timing: Timing = row["both"]
            return timing
    raise KeyError(case)


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many times faster than the network we are, forward and backward."""
    found = []
    for row in rows:
        if row["renderer"] != "neural renderer":
            continue
        ours = find(rows, row["case"], "ours", row["threads"])
        ratio = significant(row["both"].median / ours.median, 3)
        found.append({"case": row["case"], "threads": row["threads"], "times_faster": ratio})
    return found


def goals(
    small: list[dict[str, Any]], faster: list[dict[str, Any]], large: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What was to be reached, what was, and whether that is enough."""
    case, threads = small[0]["case"], all_threads()[-1]
    cell = next((row for row in large if (row["side"], row["strokes"]) == LARGEST), None)
    ratio = next(row for row in faster if (row["case"], row["threads"]) == (case, threads))["times_faster"]
    wanted = [
        (f"{case}, seconds", find(small, case, "ours", threads).median, "at most", GOAL_SECONDS),
        (f"{case}, times faster than the neural renderer", ratio, "at least", GOAL_RATIO),
    ]
    if cell is not None:
        large_case = f"{LARGEST[1]:,} short strokes at {LARGEST[0]} x {LARGEST[0]}"
        wanted += [
            (f"{large_case}, seconds", cell["both"]["median_s"], "at most", GOAL_LARGE_SECONDS),
            (f"{large_case}, peak MiB", cell["peak_mib"], "at most", GOAL_LARGE_MIB),
        ]
    return [
        {
            "what": what,
            "goal": f"{sense} {bound:g}",
            "measured": significant(value),
            "met": value <= bound if sense == "at most" else value >= bound,
        }
        for what, value, sense, bound in wanted
    ]


def recorded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their timings as numbers."""
    return [
        {name: value.record() if isinstance(value, Timing) else value for name, value in row.items()}
        for row in rows
    ]


def show(results: dict[str, list[dict[str, Any]]], neighbours: Neighbours) -> None:
    """Print the tables."""
    print(f"{headline(neighbours)}\n\n## At {SIDE} x {SIDE}, and plain torch: median (quartiles)\n")
    heads = ("case", "renderer", "threads", "forward", "forward + backward")
    names = ("case", "renderer", "threads", "forward", "both")
    rows = [[row[name] for name in names] for row in results["small"] + results["plain_torch"]]
    print(table(heads, rows))
    print("\n## Times faster than the neural renderer, forward and backward\n")
    print(table(("case", "threads", "times faster"), [list(row.values()) for row in results["ratios"]]))
    print("\n## Short strokes on larger canvases, all threads\n")
    columns = ("side", "strokes", "covered pixels", "forward", "backward", "both", "ns / pixel", "peak MiB")
    cells = [
        [
            row["side"],
            f"{row['strokes']:,}",
            f"{row['covered_pixels']:,}",
            *(milliseconds(row[part]["median_s"]) for part in ("forward", "backward", "both")),
            f"{row['ns_per_covered_pixel']:g}",
            f"{row['peak_mib']} (from {row['peak_mib_before']})",
        ]
        for row in results["scaling"]
    ]
    print(table(columns, cells))
    print("\n## Goals\n")
    print(table(("what", "goal", "measured", "met"), [list(row.values()) for row in results["goals"]]))


def main() -> int:
    parser = Parser(prog="render.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="the result file, in benchmarks/results by default")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda", "interpreter"),
        default="cpu",
        help="what renders; interpreter runs the card's kernels slowly, to see that the script works",
    )
    parser.add_argument("--tiny", action="store_true", help="a few strokes, to see that it works")
    parser.add_argument(
        "--cell", type=int, nargs=3, help="SIDE STROKES REPEATS: one cell of the scaling table"
    )
    parser.add_argument("--against", metavar="COMMIT", help="compare with an older commit, or with a folder")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison")
    args = parser.parse_args()
    if args.against:
        try:
            against.run(args.against, args.out or RESULTS / "render_against.json", args.rounds, args.tiny)
        except BenchmarkError as error:
            parser.error(str(error))
        return 0
    if args.cell:
        print(json.dumps(scale_cell(*args.cell)))
        return 0
    out = args.out or RESULTS / ("render.json" if args.device == "cpu" else f"render_{args.device}.json")
    if args.device != "cpu":
        if missing := card.prepare(args.device):
            parser.error(missing)
        return card.run(args.device, args.tiny, out)
    effort, neighbours = TINY if args.tiny else FULL, Neighbours()
    large = scaling(effort)
    small, plain = small_canvases(effort), plain_torch(effort)
    faster = ratios(small)
    results = {"small": small, "plain_torch": plain, "ratios": faster, "scaling": large}
    results["goals"] = goals(small, faster, large)
    write_results(out, "render", neighbours, {name: recorded(rows) for name, rows in results.items()})
    show(results, neighbours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
