"""Recipes for a person with real paint: what to mix, of which tubes, and for which strokes.

``NAME.recipes.svg`` is a sheet of A4 with a swatch for each pot of paint, its parts and how much of the
painted area is its; ``NAME.recipes.json`` has the same as numbers, and the pot of each stroke. Colours are
those that the tubes can make which look most alike; if a painting names no tubes, of those that ship.
"""

from __future__ import annotations

import json
import xml.sax.saxutils as sax
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.files import replacing
from semantic_guidance.core.packed import COLOR, POINTS, RADIUS
from semantic_guidance.core.shown import printable
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.export.svg import HEAD, hex_color
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.paper import PAPERS
from semantic_guidance.painting.pigments import Mixtures, read_tubes

FORMAT, VERSION = "semantic-guidance/recipes", 1
COLUMNS, ROWS = 3, 16
POTS = COLUMNS * ROWS
"""At most as many are on a sheet: of a painting in more mixtures, alike ones share a pot."""

MOST_TUBES = 12  # that are named at the foot of the sheet
LEFT, TOP, ACROSS, DOWN, SWATCH = 12.0, 24.0, 63.0, 15.6, 12.0  # in mm

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pot:
    """One mixture.

    Attributes:
        color: sRGB as ``#rrggbb``.
        parts: of each tube, by its name, most first.
        strokes: painted with it.
        area: of these, in cm2 on the paper.
        share: of all strokes' area, 0 to 1.
    """

    color: str
    parts: dict[str, int]
    strokes: int
    area: float
    share: float


@dataclass(frozen=True, eq=False)
class Recipes:
    """What a painting is mixed of.

    Attributes:
        drawing: the painting.
    """

    drawing: Drawing

    @cached_property
    def mixtures(self) -> Mixtures:
        """Those that its tubes can make."""
        return (self.drawing.tubes or read_tubes()).mixtures

    @cached_property
    def areas(self) -> Array:
        """``[N]`` of each stroke in cm2 on the paper, as if nothing covered it."""
        strokes = self.drawing.strokes.astype(np.float64)
        sheet = self.drawing.sheet
        steps = np.diff(strokes[:, POINTS].reshape(-1, 3, 2), axis=1)
        radius = strokes[:, RADIUS].mean(axis=1)
        length = np.linalg.norm(steps, axis=2).sum(axis=1)
        return np.asarray((2 * length + np.pi * radius) * radius * (sheet.unit / 10) ** 2)

    @cached_property
    def chosen(self) -> NDArray[np.intp]:
        """``[N]`` index of the mixture of each stroke: at most `POTS` different ones."""
        colors = self.drawing.strokes[:, COLOR]
        exact = self.mixtures.nearest(colors)
        if len(np.unique(exact)) <= POTS:
            return exact
        import torch

        from semantic_guidance.images.color import choose_colors

        mixed = self.mixtures.colors[exact]
        few = choose_colors(torch.from_numpy(mixed), torch.from_numpy(self.areas + 1e-9), POTS)
        pots = np.unique(self.mixtures.nearest(few.numpy()))
        alike = Mixtures(self.mixtures.tubes, self.mixtures.parts[pots], self.mixtures.colors[pots])
        return np.asarray(pots[alike.nearest(mixed)])

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """The mixtures of the pots, those with the most area first."""
        found, places = np.unique(self.chosen, return_inverse=True)
        return np.asarray(found[np.argsort(-np.bincount(places, self.areas), kind="stable")])

    def pots(self) -> list[Pot]:
        """The pots, that with the most area first."""
        total = max(float(self.areas.sum()), 1e-9)
        pots = []
        for mixture in self.order:
            mine = self.chosen == mixture
            area = float(self.areas[mine].sum())
            parts = {tube.name: count for tube, count in self.mixtures.recipe(int(mixture))}
            color = hex_color(self.mixtures.colors[mixture])
            pots.append(Pot(color, parts, int(mine.sum()), area, area / total))
        return pots

    def tubes(self) -> list[tuple[str, str, float]]:
        """Name and pigment of each tube that is needed, and its share of all paint, most first."""
        shares: dict[str, float] = {}
        for pot in self.pots():
            for name, parts in pot.parts.items():
                shares[name] = shares.get(name, 0.0) + pot.share * parts / sum(pot.parts.values())
        indices = {tube.name: tube.index for tube in self.mixtures.tubes.tubes}
        most_first = sorted(shares.items(), key=lambda pair: -pair[1])
        return [(name, indices[name], share) for name, share in most_first]


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the recipes of a painting to `path`; as JSON if it ends in ``.json``."""
    recipes = Recipes(drawing)
    lines = _json(recipes) if path.suffix.lower() == ".json" else _svg(recipes)
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
    progress(1.0)


def _json(recipes: Recipes) -> Iterator[str]:
    places = {mixture: n for n, mixture in enumerate(recipes.order.tolist())}
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "tubes": [
            {"name": name, "index": index, "share": round(share, 4)} for name, index, share in recipes.tubes()
        ],
        "pots": [
            {
                "color": pot.color,
                "parts": pot.parts,
                "strokes": pot.strokes,
                "area": round(pot.area, 2),
                "share": round(pot.share, 4),
            }
            for pot in recipes.pots()
        ],
        "strokes": [places[mixture] for mixture in recipes.chosen.tolist()],
    }
    yield json.dumps(document)


def _svg(recipes: Recipes) -> Iterator[str]:
    width, height = PAPERS["a4"]
    yield f'{HEAD}width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}">'
    yield f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>'
    yield '<g font-family="Helvetica,Arial,sans-serif" font-size="2.6" fill="#222">'
    pots = recipes.pots()
    strokes = sum(pot.strokes for pot in pots)
    yield _words(LEFT, 13, f"{len(pots)} mixtures for {strokes} strokes", 'font-size="5"')
    yield _words(
        LEFT, 18.5, "Parts by weight, in the order of the area that they paint, of which each has its share."
    )
    for number, pot in enumerate(pots):
        row, column = divmod(number, COLUMNS)
        yield from _pot(number + 1, pot, LEFT + column * ACROSS, TOP + row * DOWN)
    tubes = [
        f"{name} ({index}) {100 * share:.1f} %" if index else f"{name} {100 * share:.1f} %"
        for name, index, share in recipes.tubes()
    ]
    for line in range(0, min(len(tubes), MOST_TUBES), 3):
        yield _words(LEFT, height - 18 + 3.4 * (line // 3), " · ".join(tubes[line : line + 3]))
    yield "</g>"
    yield "</svg>"


def _pot(number: int, pot: Pot, left: float, top: float) -> Iterator[str]:
    """A swatch and what is mixed for it."""
    edge = 'stroke="#888" stroke-width=".15"'
    yield f'<rect x="{left:g}" y="{top:g}" width="{SWATCH}" height="{SWATCH}" fill="{pot.color}" {edge}/>'
    beside = left + SWATCH + 2
    share = f"{100 * pot.share:.1f} %"
    strokes = f"{pot.strokes} stroke" + "s" * (pot.strokes != 1)
    yield _words(beside, top + 2.2, f"{number}  {pot.color}", 'font-weight="bold"')
    yield _words(beside + 20, top + 2.2, f"{strokes}, {share}", 'fill="#666"')
    for line, (name, parts) in enumerate(pot.parts.items(), 1):
        where = top + 2.2 + 3.4 * line
        yield _words(beside + 4, where, str(parts), 'text-anchor="end"')
        yield _words(beside + 5.5, where, name)


def _words(x: float, y: float, text: str, extra: str = "") -> str:
    safe = sax.escape(printable(text)).encode("ascii", "xmlcharrefreplace").decode()
    return f'<text x="{x:g}" y="{y:g}"{" " * bool(extra)}{extra}>{safe}</text>'


sheet = Exporter(write, "what to mix of which tubes, a sheet of swatches", plain=True)
numbers = Exporter(write, "what to mix of which tubes, as numbers", plain=True)
