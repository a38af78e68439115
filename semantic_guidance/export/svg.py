"""Paintings as SVG: a closed outline for each stroke, in layers that Inkscape knows.

``NAME.svg`` is for editing: where strokes are clipped by a mask, their group has a clip path, and where the
opacity changes along a stroke it has a linear gradient. ``NAME.exact.svg`` is for showing: each stroke has
the mask itself, a grey picture that keeps soft edges soft, and its opacity is drawn disc upon disc.
A cover is one mask round canvas and strokes in both.
"""

from __future__ import annotations

import itertools
import math
import xml.sax.saxutils as sax
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core import bezier
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.packed import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.export.outline import outline_path, stroke_end
from semantic_guidance.images.reading import packed_picture
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import DrawnLayer, Ends
from semantic_guidance.renderer.definition import FARTHEST

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
)
FINER = 4  # the outline of a mask is traced on a picture this many times larger,
FINEST = 1 << 26  # unless that has more pixels
MAX_EDGES = 4_000_000  # that the rows of all masks cross on such pictures: half a minute
STEPS = 100  # discs of which the last one that covers a place decides its opacity
ALIKE = 0.004  # opacities that differ less need no gradient
STEP = 0.03  # of opacity from one shape to the next in the form for showing

Array = NDArray[np.float64]


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the painting to `path`; the form for showing if its name ends in ``.exact.svg``.

    Raises:
        InputError: the masks' outlines have too many pieces to be shapes.
    """
    text = _Text(drawing, exact=path.name.lower().endswith(".exact.svg"))
    total = max(1, len(drawing.strokes))
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        for number, line in enumerate(text.lines()):
            file.write(line + "\n")
            progress(min(1.0, number / total))
            if text.edges > MAX_EDGES:
                raise InputError(
                    f"{path}: the outlines of its masks have too many pieces, wanted smoother ones, or"
                    " exact.svg"
                )
    progress(1.0)


def hex_color(color: Array) -> str:
    """RGB in [0, 1] as ``#rrggbb``."""
    return "#" + "".join(f"{round(255 * float(value)):02x}" for value in color)


def group(name: str, label: str, extra: str = "") -> str:
    """The beginning of a layer."""
    return f'<g id="{name}" inkscape:groupmode="layer" inkscape:label={sax.quoteattr(label)}{extra}>'


class _Text:
    """The lines of an SVG file."""

    def __init__(self, drawing: Drawing, exact: bool) -> None:
        self.drawing, self.exact = drawing, exact
        self.scale = max(drawing.width, drawing.height)
        self.written: set[int] = set()  # masks whose lines are there
        self.names: dict[str, int] = {}
        self.edges = 0  # that the rows of the masks so far cross

    def lines(self) -> Iterator[str]:
        width, height = self.drawing.width, self.drawing.height
        yield f'{HEAD}width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        if (style := self.drawing.brush.style) != "flat":
            yield f"<desc>Flat shapes, without the texture of the {style} brush.</desc>"
        opened = 0
        if self.drawing.cover is not None:
            yield from self._covered(self.drawing.cover)
            opened += 1
        if self.drawing.transparent == "object":
            yield from self._mask("mask-object", self.drawing.object_mask())
            yield group(self._name("object"), "object", self._clip("mask-object"))
            opened += 1
        if self.drawing.transparent != "painting" or self.drawing.cover is not None:
            yield from self._ground("canvas", self.drawing.background, self.drawing.start)
        for level, layers in itertools.groupby(self.drawing.layers, key=lambda layer: layer.level):
            yield group(self._name(level), level)
            for layer in layers:
                yield from self._layer(layer)
            yield "</g>"
        yield from ["</g>"] * opened
        yield "</svg>"

    def _covered(self, cover: NDArray[np.float32]) -> Iterator[str]:
        """The beginning of the group that a cover ``[1, h, w]`` limits, and what is beyond it."""
        beyond = self.drawing.beyond
        if self.drawing.transparent is None and isinstance(beyond, tuple):
            yield from self._ground("beyond", beyond, None)
        elif self.drawing.transparent is None:
            yield from self._ground("beyond", self.drawing.background, np.asarray(beyond))
        yield self._grey("mask-cover", cover)
        yield group(self._name("cover"), "cover", ' mask="url(#mask-cover)"')

    def _ground(
        self, name: str, color: tuple[float, float, float], picture: NDArray[np.float32] | None
    ) -> Iterator[str]:
        """A layer of one colour, or of a picture ``[3, h, w]`` if there is one."""
        size = f'width="{self.drawing.width}" height="{self.drawing.height}"'
        yield group(self._name(name), name)
        if picture is None:
            yield f'<rect {size} fill="{hex_color(np.array(color))}"/>'
        else:
            data = f"data:image/png;base64,{packed_picture(picture)}"
            yield f'<image {size} preserveAspectRatio="none" xlink:href="{data}"/>'
        yield "</g>"

    def _clip(self, name: str) -> str:
        """The attribute that shows a group only within a mask or clip path."""
        return f' {"mask" if self.exact else "clip-path"}="url(#{name})"'

    def _name(self, name: str) -> str:
        """`name`, numbered from its second use on: names are unique in a file."""
        self.names[name] = self.names.get(name, 0) + 1
        return name if self.names[name] == 1 else f"{name}-{self.names[name]}"

    def _layer(self, layer: DrawnLayer) -> Iterator[str]:
        clip = ""
        if layer.mask is not None:
            name = f"mask-{layer.mask + 1}"
            if layer.mask not in self.written:
                self.written.add(layer.mask)
                yield from self._mask(name, self.drawing.masks[layer.mask])
            clip = self._clip(name)
        apart = self.exact or layer.compositing == "seed"  # clip each stroke, not all of them at once
        whole = "" if apart else clip
        if layer.level == "foreground":
            name = f"instance-{layer.instance + 1}"
            yield group(self._name(name), name, whole)
        else:
            yield f"<g{whole}>"
        for vector in layer.strokes.astype(np.float64):
            points, color = vector[POINTS].reshape(3, 2), vector[COLOR]
            shape = (points * self.scale, vector[RADIUS] * self.scale, vector[OPACITY], layer.ends)
            if layer.compositing == "seed":
                yield self._seed_stroke(*shape, hex_color(color), clip)
            else:
                path = self._stroke(*shape, hex_color(color))
                yield f"<g{clip}>{path}</g>" if clip and apart else path
        yield "</g>"

    def _stroke(self, points: Array, radius: Array, opacity: Array, ends: Ends, color: str) -> str:
        outline = outline_path(points, radius, (ends, ends))
        if (even := _even(opacity)) is not None:
            shine = f' fill-opacity="{even:.3f}"' if even < 1 else ""
            return f'<path d="{outline}" fill="{color}"{shine}/>'
        name = self._name("opacity")
        if self.exact:
            mask = _steps(name, points, radius, opacity, ends)
            return f'{mask}<path d="{outline}" fill="{color}" mask="url(#{name})"/>'
        start, end = opacity_ramp(points, radius)
        stops = (f'stop-color="{color}" stop-opacity="{value:.3f}"' for value in opacity)
        return (
            f'<linearGradient id="{name}" gradientUnits="userSpaceOnUse" '
            f'x1="{start[0]:.2f}" y1="{start[1]:.2f}" x2="{end[0]:.2f}" y2="{end[1]:.2f}">'
            f'<stop offset="0" {next(stops)}/><stop offset="1" {next(stops)}/></linearGradient>'
            f'<path d="{outline}" fill="url(#{name})"/>'
        )

    def _seed_stroke(
        self, points: Array, radius: Array, opacity: Array, ends: Ends, color: str, clip: str
    ) -> str:
        """A stroke whose mask holds back its colour but not its alpha: black where it does not show."""
        outline = outline_path(points, radius, (ends, ends))
        drawn = f'<path d="{outline}"/><g{clip}><path d="{outline}" fill="{color}"/></g>'
        if (even := _even(opacity)) is not None:
            return f'<g opacity="{even:.3f}">{drawn}</g>'
        name = self._name("opacity")
        return f'{_steps(name, points, radius, opacity, ends)}<g mask="url(#{name})">{drawn}</g>'

    def _mask(self, name: str, mask: NDArray[np.float32]) -> list[str]:
        """The lines of a mask or clip path ``[1, h, w]`` of that name."""
        width, height = self.drawing.width, self.drawing.height
        if not self.exact:
            fine = _traced(mask)
            self.edges += int(np.count_nonzero(fine[:, 1:] != fine[:, :-1]))
            d = "" if self.edges > MAX_EDGES else _outline(fine, width, height)
            return [f'<clipPath id="{name}"><path d="{d}" clip-rule="evenodd"/></clipPath>']
        return [self._grey(name, mask)]

    def _grey(self, name: str, mask: NDArray[np.float32]) -> str:
        """A mask ``[1, h, w]`` of that name, as the grey picture that it is."""
        size = f'width="{self.drawing.width}" height="{self.drawing.height}"'
        return (
            f'<mask id="{name}" maskUnits="userSpaceOnUse" x="0" y="0" {size}>'
            f'<image {size} preserveAspectRatio="none" '
            f'xlink:href="data:image/png;base64,{packed_picture(mask)}"/></mask>'
        )


def _even(opacity: Array) -> float | None:
    """The opacity of a stroke whose ends hardly differ, 1 if it hardly differs from that; else None."""
    if abs(opacity[0] - opacity[1]) >= ALIKE:
        return None
    return 1.0 if opacity.mean() > 1 - ALIKE else float(opacity.mean())


def opacity_ramp(points: Array, radius: Array) -> tuple[Array, Array]:
    """Where a linear gradient that is nearest to a stroke's opacity begins and ends.

    A place's opacity is that of the last disc that covers it, so the gradient lags behind the curve.

    Args:
        points: ``[3, 2]`` in pixels.
        radius: ``[2]`` in pixels.

    Returns:
        The points ``[2]`` of the start's and of the end's opacity.
    """
    t = np.linspace(0, 1, STEPS)[:, None]
    centers = np.concatenate(bezier.weights(t), axis=1) @ points
    reach = (1 - t[:, 0]) * radius[0] + t[:, 0] * radius[1]
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    spots = np.concatenate([np.zeros((1, 2)), 0.5 * ring, 0.9 * ring])
    places = (centers[::4, None] + reach[::4, None, None] * spots).reshape(-1, 2)
    covered = ((places[:, None] - centers) ** 2).sum(axis=2) <= reach**2 * (1 + 1e-9) + 1e-12
    last = t[STEPS - 1 - covered[:, ::-1].argmax(axis=1), 0]
    middle = places.mean(axis=0)
    system = np.concatenate([places - middle, np.ones((len(places), 1))], axis=1)
    slope_x, slope_y, at = np.linalg.lstsq(system, last, rcond=None)[0]
    slope = np.array([slope_x, slope_y])
    steep = max(float(slope @ slope), 1e-12)
    return middle - at / steep * slope, middle + (1 - at) / steep * slope


def _steps(name: str, points: Array, radius: Array, opacity: Array, ends: Ends) -> str:
    """A mask that is as bright as a stroke is opaque: ever shorter ends of it, stacked."""
    reach = FARTHEST[ends] * radius.max() + 1
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    frame = (
        f'x="{low[0]:.1f}" y="{low[1]:.1f}" width="{high[0] - low[0]:.1f}" height="{high[1] - low[1]:.1f}"'
    )
    count = math.ceil(abs(opacity[1] - opacity[0]) / STEP)
    grey = [
        hex_color(np.full(3, opacity[0] + (n + 0.5) / count * (opacity[1] - opacity[0])))
        for n in range(count)
    ]
    shapes = [f'<rect {frame} fill="{grey[0]}"/>']
    for n in range(1, count):
        outline = outline_path(*stroke_end(points, radius, n / count), ("round", ends))
        shapes.append(f'<path d="{outline}" fill="{grey[n]}"/>')
    return f'<mask id="{name}" maskUnits="userSpaceOnUse" {frame}>{"".join(shapes)}</mask>'


def mask_outline(mask: NDArray[np.float32], width: int, height: int) -> str:
    """Where a mask ``[1, h, w]`` crosses one half, as a path on a canvas of the given size."""
    return _outline(_traced(mask), width, height)


def _traced(mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Where a mask is above one half, enlarged and with a margin of a pixel."""
    import cv2  # takes a while, and few paintings have masks

    rows, columns = mask.shape[1:]
    finer = max(1, min(FINER, math.isqrt(FINEST // (rows * columns))))
    size = (columns * finer, rows * finer)
    fine = cv2.resize(mask[0], size, interpolation=cv2.INTER_LINEAR)
    return np.pad((fine >= 0.5).astype(np.uint8), 1)


def _outline(inside: NDArray[np.uint8], width: int, height: int) -> str:
    """`mask_outline` of what `_traced` returns."""
    import cv2

    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    scale = np.array([width / (inside.shape[1] - 2), height / (inside.shape[0] - 2)])
    parts = []
    for contour in contours:
        traced = (cv2.approxPolyDP(contour, 1.0, True)[:, 0] - 0.5) * scale
        parts.append("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in traced) + "Z")
    return "".join(parts)


showing = Exporter(write, "the strokes as shapes, for showing", transparent=True, plain=True, flat=True)
