"""``NAME.svg``: the strokes as shapes, for editing; of opaque paintings of few colours, for making.

Such a painting is as large as its paper, in mm, and has a layer for each colour, in the order in which they
are painted: so they can be printed, cut or copied colour by colour. A colour comes back in a later layer only
where it must cover another one. All other paintings are written by `export.svg`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.packed import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.export import svg
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.export.outline import outline_path
from semantic_guidance.export.passes import Line, Pass, in_passes
from semantic_guidance.export.svg import HEAD, group, hex_color
from semantic_guidance.images.color import MAX_COLORS
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import Ends

MOST = 20_000
"""Strokes that are sorted by colour; of more, each run of one colour is a layer."""

OPAQUE = 0.996
"""Opacity from which paint is opaque."""

FINER = 10.0
"""Units of an outline in a mm: it is exact to hundredths of them."""

PICTURE = "picture"


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the painting to `path`.

    Raises:
        InputError: see `export.svg.write`.
    """
    if not copyable(drawing):
        svg.write(drawing, path, options, progress)
        return
    shapes = list(_shapes(drawing))
    passes = _passes(shapes, lambda share: progress(0.5 * share))
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(drawing, passes))
    progress(1.0)


def copyable(drawing: Drawing) -> bool:
    """Whether a painting is meant for paper and can be made there of a few opaque colours.

    Each stroke is of one width, opaque, and clipped by nothing, and nothing is transparent but bare canvas.
    """
    strokes = drawing.strokes
    whole = drawing.cover is None and drawing.transparent != "object"
    if drawing.paper is None or not whole or not len(strokes):
        return False
    plain = all(layer.mask is None and layer.compositing == "over" for layer in drawing.layers)
    if not plain or len(np.unique(strokes[:, COLOR], axis=0)) > MAX_COLORS:
        return False
    radius = strokes[:, RADIUS]
    return bool((strokes[:, OPACITY] >= OPAQUE).all() and np.allclose(radius[:, 0], radius[:, 1], rtol=1e-4))


@dataclass(frozen=True, eq=False)
class Shape(Line):
    """A line whose ends are not round."""

    ends: Ends = "round"


def _shapes(drawing: Drawing) -> Iterator[Shape]:
    """The strokes on the paper."""
    sheet = drawing.sheet
    shift = np.array([sheet.left, sheet.top])
    for layer in drawing.layers:
        for vector in layer.strokes.astype(np.float64):
            yield Shape(
                points=vector[POINTS].reshape(3, 2) * sheet.unit + shift,
                width=2 * sheet.unit * float(vector[RADIUS].mean()),
                color=hex_color(vector[COLOR]),
                level=layer.level,
                instance=layer.instance,
                ends=layer.ends,
            )


def _passes(shapes: list[Shape], progress: Progress) -> list[Pass]:
    """The strokes by colour, in an order in which the painting looks the same."""
    if len(shapes) <= MOST and all(shape.ends == "round" for shape in shapes):
        try:
            return in_passes(list(shapes), progress, by_brush=False)
        except InputError:  # they lie on one another too often to be sorted
            pass
    runs = itertools.groupby(shapes, key=lambda shape: shape.color)
    return [Pass(color, list(run)) for color, run in runs]


def _lines(drawing: Drawing, passes: list[Pass]) -> Iterator[str]:
    sheet = drawing.sheet
    width, height = f"{sheet.width:g}", f"{sheet.height:g}"
    yield f'{HEAD}width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}">'
    if (style := drawing.brush.style) != "flat":
        yield f"<desc>Flat shapes, without the texture of the {style} brush.</desc>"
    across, down = sheet.width - 2 * sheet.left, sheet.height - 2 * sheet.top
    place = f'x="{sheet.left:.3f}" y="{sheet.top:.3f}" width="{across:.3f}" height="{down:.3f}"'
    yield f'<clipPath id="{PICTURE}"><rect {place}/></clipPath>'
    if drawing.transparent is None:
        yield group("canvas", "canvas")
        if drawing.start is None:
            yield f'<rect {place} fill="{hex_color(np.array(drawing.background))}"/>'
        else:
            data = f"data:image/png;base64,{svg.packed_picture(drawing.start)}"
            yield f'<image {place} preserveAspectRatio="none" xlink:href="{data}"/>'
        yield "</g>"
    for number, each in enumerate(passes, 1):
        extra = f' fill="{each.color}" clip-path="url(#{PICTURE})"'
        yield group(f"layer{number}", f"{number} {each.color}", extra)
        yield f'<g transform="scale({1 / FINER:g})">'
        for line in each.lines:
            ends: Ends = getattr(line, "ends", "round")
            radius = np.full(2, line.width / 2 * FINER)
            yield f'<path d="{outline_path(line.points * FINER, radius, (ends, ends))}"/>'
        yield "</g></g>"
    yield "</svg>"


editing = Exporter(
    write,
    "the strokes as shapes, for editing; opaque ones in mm, a layer a colour",
    transparent=True,
    plain=True,
    flat=True,
)
