"""Paintings for plotters, robots and people with brushes: centre lines in mm, in the order of the colours.

``NAME.plotter.svg`` has one layer for each pass of a colour and brush, numbered as vpype and the AxiDraw's
programs expect; ``NAME.plotter.json`` has the same as numbers. A colour comes back in a later pass only where
it must cover another one that was painted in between; within a pass the strokes are ordered for short travel.
Where brushes run dry, each load of paint is a layer, before which the machine pauses, or stirs in
the paint.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core import bezier
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.packed import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.loads import loads, page, pieces, stir
from semantic_guidance.export.options import PLOTTER_COLORS, PlotterOptions
from semantic_guidance.export.passes import Line, Pass, in_passes
from semantic_guidance.export.svg import HEAD, group, hex_color
from semantic_guidance.images.color import MAX_COLORS, choose_colors, nearest_color
from semantic_guidance.painting.altered import uncovered
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import DrawnLayer
from semantic_guidance.painting.paper import Sheet

FORMAT, VERSION = "semantic-guidance/plotter", 1
MAX_STROKES = 20_000
MAX_LINES = 30_000  # that masks and the paper's edges make of them
DAB = 10.0  # mm of line that even the broadest brush draws
WHOLE = 1e-6  # mm by which a line may differ from another that is the same
PIECES = 64  # of a line under a mask, which shows or hides each of them
OPAQUE = 0.995  # opacity from which paint counts as opaque

Array = NDArray[np.float64]


def write(drawing: Drawing, path: Path, options: PlotterOptions, progress: Progress) -> None:
    """Write the painting to `path`; as JSON if it ends in ``.json``.

    Raises:
        InputError: it has more than `MAX_STROKES` strokes, they lie on one another too often, or are cut into
            more than `MAX_LINES`.
    """
    check_count(len(drawing.strokes), path)
    drawing = uncovered(drawing)
    sheet = drawing.sheet
    lines = list(itertools.islice(_lines(drawing, sheet, options.border), MAX_LINES + 1))
    if len(lines) > MAX_LINES:
        raise InputError(
            f"{path}: masks and the paper's edges cut the strokes into more than {MAX_LINES} lines, wanted at"
            " most that many for a plotter"
        )
    ground = hex_color(np.array(drawing.background)) if drawing.start is None else None
    try:
        passes = in_passes(lines, lambda share: progress(0.9 * share), ground=ground)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    passes = [_cut(each, options) for each in passes]
    if sum(len(each.lines) for each in passes) > MAX_LINES:
        raise InputError(
            f"{path}: --longest-stroke and --reload cut the strokes into more than {MAX_LINES} lines, wanted"
            " greater lengths"
        )
    text = (
        _json(drawing, sheet, passes, options)
        if path.suffix.lower() == ".json"
        else _svg(sheet, passes, options)
    )
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in text)
    progress(1.0)


def check_count(count: int, where: object) -> None:
    """Check that a painting of `count` strokes can be written; the message names `where`.

    Raises:
        InputError: there are more than `MAX_STROKES`.
    """
    if count > MAX_STROKES:
        raise InputError(f"{where}: there are {count} strokes, wanted at most {MAX_STROKES} for a plotter")


def _cut(each: Pass, options: PlotterOptions) -> Pass:
    """The pass in lines that are no longer than is wanted, nor than a load of paint draws."""
    limits = [limit for limit in (options.longest_stroke, options.reload) if limit is not None]
    return replace(
        each, lines=[part for line in each.lines for part in pieces(line, min(limits, default=None))]
    )


def _lines(drawing: Drawing, sheet: Sheet, border: bool) -> Iterator[Line]:
    """The strokes as lines in mm, in the order of the painting, each at least as long as its brush is wide.

    Shorter strokes grow; what masks and edges leave of a stroke, if it is shorter, is left out. A brush wider
    than `DAB` may leave lines of that length.
    """
    colors = iter(_few_colors(drawing))
    shift = np.array([sheet.left, sheet.top])
    paper = np.array([[0.0, 0.0], [sheet.width, sheet.height]])
    frame = np.array([shift, paper[1] - shift]) if border else paper
    for layer in drawing.layers:
        for vector in layer.strokes.astype(np.float64):
            color = next(colors)
            place = vector[POINTS].reshape(3, 2)
            points = place * sheet.unit + shift
            for part in _shown(layer, place, points, drawing, frame):
                line = Line(
                    points=part,
                    width=2 * sheet.unit * float(vector[RADIUS].mean()),
                    color=color,
                    opacity=float(vector[OPACITY].mean()),
                    level=layer.level,
                    instance=layer.instance,
                )
                whole = np.abs(part - points).max() < WHOLE
                if line.length >= _least(line):
                    yield line
                elif whole:
                    yield _grown(line, frame)


def _least(line: Line) -> float:
    """Length in mm below which what a pen or brush draws is no line."""
    return min(line.width, DAB)


def _grown(line: Line, frame: Array) -> Line:
    """A short line, longer about its middle until it is long enough, within the frame."""
    middle, length = line.points.mean(axis=0), line.length
    wanted = min(1.001 * _least(line) + 0.002, float((frame[1] - frame[0]).min()))  # files round
    points = middle + (line.points - middle) * (wanted / max(length, WHOLE))
    if length < WHOLE:
        points = middle + np.array([[-0.5, 0.0], [0.0, 0.0], [0.5, 0.0]]) * wanted
    low, high = points.min(axis=0), points.max(axis=0)
    return replace(line, points=points + (frame[0] - low).clip(0) - (high - frame[1]).clip(0))


def _few_colors(drawing: Drawing) -> list[str]:
    """The strokes' colours, reduced to `PLOTTER_COLORS` if there are too many to be a palette."""
    strokes = drawing.strokes
    colors = strokes[:, COLOR]
    names = [hex_color(color) for color in colors]
    if len(set(names)) <= MAX_COLORS:
        return names
    import torch

    points, radius = strokes[:, POINTS].reshape(-1, 3, 2), strokes[:, RADIUS].mean(axis=1)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1)
    every = torch.from_numpy(np.ascontiguousarray(colors))
    palette = choose_colors(every, torch.from_numpy((length + radius) * radius), PLOTTER_COLORS)
    return [hex_color(color.numpy()) for color in palette[nearest_color(every, palette)]]


def _shown(layer: DrawnLayer, place: Array, points: Array, drawing: Drawing, frame: Array) -> Iterator[Array]:
    """The parts of a curve that are within a frame and that the layer's mask shows.

    Args:
        layer: of the curve.
        place: ``[3, 2]`` the curve in units of the painting's longer side.
        points: ``[3, 2]`` the same in mm.
        drawing: of the layer.
        frame: ``[2, 2]`` the corners, in mm, of the paper or of the picture on it.

    Yields:
        ``[3, 2]`` curves in mm.
    """
    cuts = _crossings(points, frame)
    if layer.mask is not None:
        cuts = np.concatenate([cuts, np.arange(1, PIECES) / PIECES])
    cuts = np.unique(np.concatenate([[0.0, 1.0], cuts]))
    t = (cuts[1:] + cuts[:-1]) / 2
    weights = np.stack(bezier.weights(t), axis=1)
    at = weights @ points
    inside = ((at >= frame[0]) & (at <= frame[1])).all(axis=1)
    if layer.mask is not None:
        mask = drawing.masks[layer.mask][0]
        share = weights @ place * max(drawing.width, drawing.height) / (drawing.width, drawing.height)
        cells = np.clip(share * mask.shape[::-1], 0, np.array(mask.shape[::-1]) - 1).astype(int)
        inside &= mask[cells[:, 1], cells[:, 0]] > 0.5
    framed = np.concatenate([[False], inside, [False]])
    edges = cuts[np.flatnonzero(framed[1:] != framed[:-1])]
    for start, end in edges.reshape(-1, 2):
        part = np.stack(bezier.part(list(points), float(start), float(end)))
        part[[0, 2]] = part[[0, 2]].clip(*frame)  # where it was cut, rounding may leave it beyond
        yield part


def _crossings(points: Array, edges: Array) -> Array:
    """Parameters between 0 and 1 at which a curve ``[3, 2]`` in mm meets the lines of a frame's edges."""
    square = points[0] - 2 * points[1] + points[2]
    half = points[1] - points[0]
    rest = points[0] - edges
    inner = half**2 - square * rest  # of square t^2 + 2 half t + rest = 0
    away = -(half + np.copysign(np.sqrt(inner.clip(0)), half))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t = np.stack([away / square, rest / away])[:, inner >= 0]
    return np.asarray(t[(t > 0) & (t < 1)])


def _svg(sheet: Sheet, passes: list[Pass], options: PlotterOptions) -> Iterator[str]:
    sides = page((sheet.width, sheet.height), options.dip if options.reload else None)
    width, height = (f"{side:g}" for side in sides)
    yield f'{HEAD}width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}">'
    number = 0
    for each in passes:
        style = f' fill="none" stroke="{each.color}" stroke-linecap="round" stroke-linejoin="round"'
        for load, lines in enumerate(loads(each.lines, options.reload), 1):
            name = f"{each.name} load {load}" if options.reload else each.name
            if options.reload and options.dip:
                stop = "!" if load == 1 and number else ""  # for another colour or brush
                number += 1
                yield group(f"layer{number}", f"{stop}{number} dip for {name}", style)
                yield f'<path d="{stir(options.dip)}" stroke-width="{lines[0].width:.3f}"/>'
                yield "</g>"
            number += 1
            pause = "!" if options.reload and not options.dip and number > 1 else ""
            yield group(f"layer{number}", f"{pause}{number} {name}", style)
            yield from map(_path, lines)
            yield "</g>"
    yield "</svg>"


def _path(line: Line) -> str:
    (ax, ay), (bx, by), (cx, cy) = line.points
    shine = "" if line.opacity > OPAQUE else f' stroke-opacity="{line.opacity:.3f}"'
    d = f"M{ax:.3f} {ay:.3f}Q{bx:.3f} {by:.3f} {cx:.3f} {cy:.3f}"
    return f'<path d="{d}" stroke-width="{line.width:.3f}"{shine}/>'


def _json(drawing: Drawing, sheet: Sheet, passes: list[Pass], options: PlotterOptions) -> Iterator[str]:
    lines = [line for each in passes for line in each.lines]
    loaded = [list(loads(each.lines, options.reload)) for each in passes]
    dip = options.dip if options.reload else None
    there = [] if dip is None else [Line(np.array([dip] * 3), 0.0, "")]
    way = [line for each in loaded for load in each for line in (*there, *load)]
    head = {
        "format": FORMAT,
        "version": VERSION,
        "unit": "mm",
        "paper": [sheet.width, sheet.height],
        "picture": [
            round(side, 3)
            for side in (sheet.left, sheet.top, sheet.width - 2 * sheet.left, sheet.height - 2 * sheet.top)
        ],
        "ground": hex_color(np.array(drawing.background)),
        "palette": sorted({line.color for line in lines}),
        "brushes": sorted({round(line.width, 3) for line in lines}),
        "drawn": round(sum(line.length for line in lines), 1),
        "travel": round(travel(way), 1),
    }
    if options.reload:
        head["reload"] = {"after": options.reload, "dip": dip}
    yield json.dumps(head)[:-1] + ', "passes": ['
    for number, (each, some) in enumerate(zip(passes, loaded, strict=True), 1):
        about: dict[str, Any] = {"color": each.color, "brush": each.brush}
        if options.reload:
            about["loads"] = [len(load) for load in some]
        yield json.dumps(about)[:-1] + ', "strokes": ['
        for n, line in enumerate(each.lines, 1):
            yield json.dumps(_record(line)) + ("," if n < len(each.lines) else "")
        yield "]}" + ("," if number < len(passes) else "")
    yield "]}"


def _record(line: Line) -> dict[str, Any]:
    return {
        "level": line.level,
        "instance": line.instance,
        "points": [[round(float(x), 3), round(float(y), 3)] for x, y in line.points],
        "width": round(line.width, 3),
        "opacity": round(line.opacity, 3),
    }


def travel(lines: list[Line]) -> float:
    """Distance in mm between the lines, from the end of each to the start of the next."""
    ends = np.array([line.points[2] for line in lines[:-1]]).reshape(-1, 2)
    starts = np.array([line.points[0] for line in lines[1:]]).reshape(-1, 2)
    return float(np.hypot(*(starts - ends).T).sum())


shapes = Exporter(
    write, "centre lines in mm, in layers of one colour and brush", plain=True, options=PlotterOptions
)
numbers = Exporter(write, "centre lines in mm, as numbers", plain=True, options=PlotterOptions)
