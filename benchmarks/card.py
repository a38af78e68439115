"""Speed of the renderer's kernels for graphics cards; `render.py --device cuda` runs this.

Large canvases (2,048 strokes at 2040 x 1344 and 10,000 at 2048 x 2048, short ones and strokes as wide as a
painting's), the number of warps a tile, and paintings an hour. Also whether two runs give the same bits, and
how far the numbers are from the definition in plain torch.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import ROOT, Neighbours, headline, measure, milliseconds, significant, table, timed, write_results
from torch import Tensor

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.strokes import OPACITY
from semantic_guidance.images.files import load_image
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.presets import PRESETS, Preset, RefineConfig
from semantic_guidance.renderer.backends.base import Backend, Segment, Task, load_backend

GOAL_PAINTINGS = 20_000
"""Paintings an hour at 256 strokes."""

COARSEST, FINEST = 0.10, 0.013  # radii of a painting of 300 strokes, see `agents.planner`
EXAMPLES = ("astronaut", "chelsea", "coffee", "rocket")


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        cases: strokes, height and width of large canvases.
        repeats: of each timing.
        warmup: calls before them.
        warps: numbers of warps a tile that are tried.
        checked: strokes that are compared with the definition.
        batch: pictures that are painted together.
        side: of these pictures.
        strokes: of each.
        preset: with which they are painted.
    """

    cases: tuple[tuple[int, int, int], ...] = ((2_048, 1344, 2040), (10_000, 2048, 2048))
    repeats: int = 20
    warmup: int = 3
    warps: tuple[int, ...] = (1, 2, 4, 8)
    checked: int = 20
    batch: int = 64
    side: int = 256
    strokes: int = 256
    preset: Preset = PRESETS["standard"]


FULL = Effort()
TINY = Effort(
    ((3, 12, 20),),
    1,
    0,
    (4,),
    3,
    2,
    24,
    3,
    Preset(side=64, refine=RefineConfig(steps=2, sizes=((0.0, 16.0),))),
)


def prepare(device: str) -> str | None:
    """Make ready for a device, ``cuda`` or ``interpreter``; what is missing, in words, if something is."""
    if device == "cuda" and not torch.cuda.is_available():
        return "device is 'cuda', but torch finds no CUDA device here, wanted a machine with one"
    if importlib.util.find_spec("triton") is None:
        return f"device is {device!r}, but the package triton is not installed, wanted pip install triton"
    if device == "interpreter":
        os.environ["TRITON_INTERPRET"] = "1"
    return None


def short_strokes(count: int) -> Tensor:
    """Packed strokes ``[count, 13]`` up to 3 % of the canvas long, with radii of 0.3 to 1 % of it."""
    vectors = torch.rand(count, 13, generator=torch.Generator().manual_seed(0))
    vectors[:, 2:6] = vectors[:, :2].repeat(1, 2) + 0.04 * (vectors[:, 2:6] - 0.5)
    vectors[:, 6:8] = 0.003 + 0.007 * vectors[:, 6:8]
    return vectors


def wide_strokes(count: int) -> Tensor:
    """Packed strokes ``[count, 13]`` from wide to fine as the planner's, four radii long."""
    vectors = torch.rand(count, 13, generator=torch.Generator().manual_seed(0))
    finest = FINEST * (300 / count) ** 0.5
    radius = COARSEST * (finest / COARSEST) ** torch.linspace(0, 1, count)[:, None]
    vectors[:, 2:6] = vectors[:, :2].repeat(1, 2) + 4 * radius * (vectors[:, 2:6] - 0.5)
    vectors[:, 6:8] = radius
    return vectors


class Case:
    """Strokes on a canvas, and what is measured of them."""

    def __init__(self, strokes: Tensor, height: int, width: int, device: torch.device) -> None:
        random = torch.Generator().manual_seed(1)
        self.strokes = strokes.to(device)
        blank, target = (torch.rand(3, height, width, generator=random).to(device) for _ in range(2))
        weight = torch.ones(height, width, device=device)
        segments = (
            Segment(len(strokes) // 2, None, 0.1),
            Segment(len(strokes) - len(strokes) // 2, None, 1.0),
        )
        self.task = Task(segments, torch.empty(0, height, width, device=device), blank, target, weight)
        self.canvas = blank[None]
        self.cotangent = target[None]

    def forward(self, backend: Backend) -> Tensor:
        """Paint without gradients."""
        with torch.no_grad():
            return backend.render(self.strokes[None], self.canvas, None, 1.0)

    def both(self, backend: Backend) -> Tensor:
        """Paint, and the gradient of the strokes ``[N, 13]``."""
        strokes = self.strokes[None].clone().requires_grad_()
        painted = backend.render(strokes, self.canvas, None, 1.0)
        return torch.autograd.grad(painted, strokes, self.cotangent)[0][0]

    def objective(self, backend: Backend) -> Tensor:
        """A step of refinement: the gradient ``[N, 13]``."""
        return backend.objective(self.strokes, self.task, 1.0)[1]

    def removal(self, backend: Backend) -> Tensor:
        """What each stroke is worth ``[N]``."""
        return backend.removal_costs(self.strokes, self.task, 1.0)[0]


def settled(function: Callable[[], Any], device: torch.device) -> Callable[[], None]:
    """`function`, and a wait until the card is done with it."""

    def run() -> None:
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run


def large_canvases(effort: Effort, backend: Backend, device: torch.device) -> list[dict[str, Any]]:
    """Times and memory, and whether two runs give the same bits."""
    rows = []
    for count, height, width in effort.cases:
        for kind, make in (("short", short_strokes), ("wide", wide_strokes)):
            case = Case(make(count), height, width, device)
            parts = {"forward": case.forward, "both": case.both, "objective": case.objective}
            parts["removal"] = case.removal
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            times = {
                name: measure(settled(lambda part=part: part(backend), device), effort.repeats, effort.warmup)
                for name, part in parts.items()
            }
            peak = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else None
            same = all(torch.equal(part(backend), part(backend)) for part in parts.values())
            rows.append(
                {
                    "case": f"{count:,} {kind} strokes at {width} x {height}",
                    **{name: timing.record() for name, timing in times.items()},
                    "peak_mib": None if peak is None else round(peak),
                    "same_bits": same,
                }
            )
    return rows


def warps(effort: Effort, backend: Backend, device: torch.device) -> list[dict[str, Any]]:
    """A step of refinement with other numbers of warps a tile than the one that is built in."""
    from semantic_guidance.renderer.backends.triton import operations

    rows, built_in = [], operations.WARPS
    try:
        for count, height, width in effort.cases:
            case = Case(wide_strokes(count), height, width, device)
            for number in effort.warps:
                operations.WARPS = number
                timing = measure(
                    settled(lambda case=case: case.objective(backend), device), effort.repeats, effort.warmup
                )
                what = f"{count:,} wide strokes at {width} x {height}"
                rows.append(
                    {"case": what, "warps": number, "built_in": number == built_in, **timing.record()}
                )
    finally:
        operations.WARPS = built_in
    return rows


def differences(effort: Effort, backend: Backend, device: torch.device) -> dict[str, float]:
    """Distance from the definition: greatest of the canvas's values, relative of the gradient."""
    strokes = torch.rand(effort.checked, 13, generator=torch.Generator().manual_seed(2))
    strokes[:, 6:8] *= 0.1
    strokes[:, OPACITY] = strokes[:, OPACITY].mean(dim=1, keepdim=True)  # else discs at their rim show
    case = Case(strokes, 33, 50, device)
    reference = load_backend("reference", device, torch.float32)
    canvas = (case.forward(backend) - case.forward(reference)).abs().max()
    wanted = case.both(reference)
    gradient = (case.both(backend) - wanted).norm() / wanted.norm()
    return {"canvas": significant(float(canvas)), "gradient": significant(float(gradient))}


def pictures(effort: Effort) -> list[Tensor]:
    """Square parts of the examples, all different."""
    found = []
    for n in range(effort.batch):
        image = load_image(ROOT / "examples" / f"{EXAMPLES[n % len(EXAMPLES)]}.jpg")
        room = [length - effort.side for length in image.shape[1:]]
        top, left = (n * 37 % (room[0] + 1), n * 53 % (room[1] + 1))
        found.append(image[:, top : top + effort.side, left : left + effort.side].contiguous())
    return found


def paintings(effort: Effort, backend: Backend, device: torch.device) -> dict[str, Any]:
    """Paintings an hour, one by one and together, without guidance; and where the time goes."""
    painter = Painter("planner", effort.preset, backend=backend, device=device, strokes=effort.strokes)
    images = pictures(effort)
    known = [Guidance.none(*image.shape[1:]) for image in images]
    painter.paint(images[0], known[0])
    alone = timed(lambda: painter.paint(images[0], known[0]))
    made: list[Any] = []
    together = timed(lambda: made.extend(painter.paint_batch(images, known)))
    stages = {name: sum(each.seconds[name] for each in made) for name in made[0].seconds}
    return {
        "pictures": len(images),
        "strokes": effort.strokes,
        "an_hour": significant(3600 * len(images) / together),
        "an_hour_one_by_one": significant(3600 / alone),
        "an_hour_refinement_alone": significant(3600 * len(images) / stages["polish"]),
        "seconds_by_stage": {name: significant(value) for name, value in stages.items()},
        "goal": GOAL_PAINTINGS,
        "met": 3600 * len(images) / together >= GOAL_PAINTINGS,
    }


def card(device: torch.device) -> dict[str, Any]:
    """What computes."""
    import triton

    facts: dict[str, Any] = {"triton": triton.__version__, "device": device.type}
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        facts |= {"name": about.name, "memory_mib": about.total_memory // 2**20, "cuda": torch.version.cuda}
    return facts


def show(results: dict[str, Any], neighbours: Neighbours) -> None:
    """Print the tables."""
    about = results["card"]
    print(f"{headline(neighbours)}; {about.get('name', 'the interpreter')}, triton {about['triton']}\n")
    parts = ("forward", "both", "objective", "removal")
    heads = ("case", "forward", "forward + backward", "objective", "removal costs", "peak MiB", "same bits")
    rows = [
        [
            row["case"],
            *(milliseconds(row[part]["median_s"]) for part in parts),
            row["peak_mib"],
            row["same_bits"],
        ]
        for row in results["large"]
    ]
    print(table(heads, rows))
    print("\n## Warps a tile\n")
    cells = [
        [row["case"], f"{row['warps']}{' (built in)' * row['built_in']}", milliseconds(row["median_s"])]
        for row in results["warps"]
    ]
    print(table(("case", "warps", "objective"), cells))
    print("\n## Difference from the definition, and paintings\n")
    for part in ("differences", "paintings"):
        print(table((part, ""), list(results[part].items())) + "\n")


def run(device_name: str, tiny: bool, out: Path) -> int:
    """Measure everything on ``cuda``, or a little in the ``interpreter``; returns the exit status."""
    device = torch.device("cuda" if device_name == "cuda" else "cpu")
    effort, neighbours = TINY if tiny or device_name == "interpreter" else FULL, Neighbours()
    backend = load_backend("triton", device, torch.float32)
    results = {
        "card": card(device),
        "large": large_canvases(effort, backend, device),
        "warps": warps(effort, backend, device),
        "differences": differences(effort, backend, device),
        "paintings": paintings(effort, backend, device),
    }
    write_results(out, "render on a card", neighbours, results)
    show(results, neighbours)
    return 0
