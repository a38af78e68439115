"""The compiled renderer and an older commit's: processor seconds of both, in turns.

    python benchmarks/render.py --against f733fcb

Each round is a process of the old code and one of ours, on one thread. A case's seconds are the median of its
calls in a process; the table has the medians over rounds, and their ratios. Refinement is that of a painting
of 300 strokes without guidance, and the painting's error stands beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import (
    ROOT,
    BenchmarkError,
    Neighbours,
    Timing,
    checkout,
    headline,
    milliseconds,
    significant,
    table,
    write_results,
)

CASES = """
import json, statistics, sys, time
import torch
tiny, photo = sys.argv[1] == "tiny", sys.argv[2]
torch.set_num_threads(1)
try:
    import numba
    numba.set_num_threads(1)
except ImportError:
    pass
try:
    from semantic_guidance.renderer.backends.cpu.pool import POOL
    POOL.count = 1
except ImportError:
    pass
from semantic_guidance import Guidance, Painter, Strokes, load_image, render
from semantic_guidance.renderer import objective as objectives
Segment = getattr(objectives, "Segment", None) or objectives.Run
found = {}

def random(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))

def seconds(name, function, repeats):
    function()
    taken = []
    for _ in range(1 if tiny else repeats):
        began = time.process_time()
        function()
        taken.append(time.process_time() - began)
    found[name] = statistics.median(taken)

def both(name, vectors, height, width, repeats):
    vectors = vectors.clone().requires_grad_()
    cotangent = torch.randn(len(vectors), 3, height, width, generator=torch.Generator().manual_seed(1))
    def forward():
        with torch.no_grad():
            render(Strokes.unpack(vectors), torch.zeros(len(vectors), 3, height, width))
    def round_trip():
        vectors.grad = None
        canvas = torch.zeros(len(vectors), 3, height, width)
        render(Strokes.unpack(vectors), canvas).backward(cotangent)
    seconds(name + ", forward", forward, repeats)
    seconds(name + ", forward + backward", round_trip, repeats)

def short(batch, count, reach, thin, thick):
    vectors = random(batch, count, 13)
    vectors[..., 2:6] = vectors[..., :2].repeat(1, 1, 2) + reach * (vectors[..., 2:6] - 0.5)
    vectors[..., 6:8] = thin + (thick - thin) * vectors[..., 6:8]
    return vectors

side = 16 if tiny else 1
vectors = random(1, 250 // side, 13)
vectors[..., 6:8] *= 0.25
both("250 random strokes at 128 x 128", vectors, 128, 128, 30)

picture = load_image(photo)
height, width = 267 // side, 400 // side
picture = torch.nn.functional.interpolate(picture[None], (height, width), mode="area")[0]
nothing = Guidance.none()
drafted, standard = (Painter("planner", preset, strokes=300 // side) for preset in ("draft", "standard"))
painting = drafted.paint(picture, nothing)
packed = painting.strokes.pack().contiguous()
both("a painting's 300 at 400 x 267", packed, height, width, 30)
both("one short stroke at 128 x 128", short(1, 1, 0.1, 0.01, 0.04), 128, 128, 300)
both("96 canvases of 5 short strokes at 128 x 128", short(96 // side, 5, 0.1, 0.01, 0.04), 128, 128, 10)
many, large = short(1, 10_000 // side, 0.04, 0.003, 0.01), 2048 // side
both("10,000 short strokes at 2048 x 2048", many, large, large, 4)

mask = torch.zeros(1, height, width)
mask[:, height // 4 : height // 4 * 3, width // 4 : width // 4 * 3] = 1
count = packed.shape[1]
segments = (Segment(count // 2, None, 0.3), Segment(count - count // 2, 0, 1.0))
blank, weight = torch.full((3, height, width), 0.5), torch.ones(height, width)
whole = objectives.Objective(segments, mask, blank, picture, weight)
seconds("the error of a painting, and its gradient", lambda: whole.gradient(packed[0], 1.0), 30)
seconds("removal costs of a painting", lambda: whole.removal_costs(packed[0], 1.0), 30)
seconds("draft", lambda: drafted.paint(picture, nothing), 3)
done = []
seconds("standard", lambda: done.append(standard.paint(picture, nothing)), 3)
found["refinement"] = found.pop("standard") - found.pop("draft")
canvas = done[-1].canvas
wanted = torch.nn.functional.interpolate(picture[None], canvas.shape[1:], mode="bilinear", antialias=True)[0]
print(json.dumps({"seconds": found, "error": float((canvas - wanted).square().mean())}))
"""


def one_round(code: Path, home: Path, tiny: bool) -> dict[str, Any]:
    """Seconds of all cases, and the error, of one process.

    Raises:
        BenchmarkError: it fails.
    """
    environment = os.environ | {"PYTHONPATH": str(code), "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    command = [sys.executable, "-c", CASES, "tiny" if tiny else "full", str(ROOT / "examples" / "coffee.jpg")]
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError((done.stderr.strip() or "a case fails").splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(codes: dict[str, Path], scratch: Path, repeats: int, tiny: bool) -> dict[str, Any]:
    """Medians of each code and their ratios, case by case, and the painting's error."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in codes}
    for number in range(repeats):
        for name, code in codes.items():
            print(f"round {number + 1} of {repeats}, {name}", file=sys.stderr)
            home = scratch / f"home-{name}"
            home.mkdir(exist_ok=True)
            rounds[name].append(one_round(code, home, tiny))
    rows = []
    for case in rounds["new"][0]["seconds"]:
        row: dict[str, Any] = {"case": case}
        for name, each in rounds.items():
            row[name] = Timing.of([found["seconds"][case] for found in each]).record()
        row["ratio"] = significant(row["new"]["median_s"] / row["old"]["median_s"], 3)
        rows.append(row)
    errors = {name: significant(each[0]["error"]) for name, each in rounds.items()}
    return {"cases": rows, "error": errors}


def run(commit: str, out: Path, repeats: int, tiny: bool) -> None:
    """The comparison with a commit, or with the code in a folder.

    Raises:
        BenchmarkError: there is no such commit, or a case fails.
    """
    neighbours = Neighbours()
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        old, full = Path(commit).resolve(), None
        if not (old / "semantic_guidance").is_dir():
            old = scratch / "checkout"
            full = stack.enter_context(checkout(commit, old))
        found = compare({"old": old, "new": ROOT}, scratch, repeats, tiny)
    results = {"settings": {"old": full, "rounds": repeats}, **found}
    write_results(out, "render_against", neighbours, results)
    cells = []
    for row in found["cases"]:
        times = (milliseconds(row[name]["median_s"]) for name in ("old", "new"))
        cells.append([row["case"], *times, f"{row['ratio']:.2f}"])
    print(f"{headline(neighbours)}\n\nProcessor time on one thread\n")
    print(table(("case", "old", "new", "ratio"), cells))
    print(f"\nError of the refined painting: {found['error']['old']:.5f}, {found['error']['new']:.5f}")
