"""Mixtures of paints from tubes: their colours by Kubelka and Munk, and the parts that make a colour.

A paint absorbs (K) and scatters (S) light. In a mixture both add up by parts, and an opaque layer reflects

    R = 1 + K/S - sqrt((K/S)^2 + 2 K/S)

of the light within it (P. Kubelka and F. Munk, Zeitschrift fuer technische Physik 12, 1931). The paint's
surface throws some of the light back, from outside and from inside: of R a person sees

    (1 - outside) (1 - inside) R / (1 - inside R)

(J. L. Saunderson, JOSA 32, 1942), without the gloss on it, as one stands where it does not dazzle.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.toml import read_toml
from semantic_guidance.images.color import STRETCH, Array, to_oklab
from semantic_guidance.images.spectrum import BANDS, to_srgb

SHIPPED = Path(__file__).with_name("tubes.toml")
MAX_BYTES = 1 << 20  # of a file of tubes
MAX_TUBES = 24
TOGETHER = 3  # tubes in a mixture
PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""What a person can measure out of each tube of a mixture."""

MOST_PARTS = 36
"""In a mixture."""

FINENESS = 0.02
"""Of mixtures whose colours are as close, in Oklab with `STRETCH`, only the simplest is kept."""

NEAR = 4096  # colours that are looked up together
SHADES = 48  # of each channel, by which a picture's colours are told apart
SPREAD = 0.1  # between mixtures of every kind, same unit as `FINENESS`


@dataclass(frozen=True)
class Tube:
    """One paint.

    Attributes:
        name: on the tube.
        index: Colour Index name of its pigment, such as PB29.
        absorption: K at each of `images.spectrum.WAVELENGTHS`, at least 0.
        scattering: S at each of them, above 0, in the same unit for all tubes.
    """

    name: str
    index: str
    absorption: tuple[float, ...]
    scattering: tuple[float, ...]


@dataclass(frozen=True)
class Tubes:
    """Paints that can be mixed.

    Attributes:
        tubes: the paints.
        outside: share of the light that their surface throws back from outside.
        inside: share of the light that it throws back from inside.
    """

    tubes: tuple[Tube, ...]
    outside: float
    inside: float

    def seen(self, parts: NDArray[np.integer[Any]] | Array) -> Array:
        """Reflectance ``[N, BANDS]`` of opaque mixtures of parts ``[N, T]`` of each tube."""
        absorbed = parts @ np.array([tube.absorption for tube in self.tubes])
        ratio = absorbed / (parts @ np.array([tube.scattering for tube in self.tubes]))
        within = 1 / (1 + ratio + np.sqrt(ratio * (ratio + 2)))  # the same without taking a difference
        return np.asarray((1 - self.outside) * (1 - self.inside) * within / (1 - self.inside * within))

    def colors(self, parts: NDArray[np.integer[Any]]) -> Array:
        """sRGB ``[N, 3]`` in [0, 1] of opaque mixtures of parts ``[N, T]`` of each tube."""
        return to_srgb(self.seen(parts))

    @cached_property
    def mixtures(self) -> Mixtures:
        """The mixtures of at most `TOGETHER` tubes, each with `PARTS` of it, that differ to the eye."""
        return _mixed(self)


@dataclass(frozen=True, eq=False)
class Mixtures:
    """What can be mixed.

    Attributes:
        tubes: of which.
        parts: ``[K, T]`` small whole numbers, of each tube.
        colors: ``[K, 3]`` sRGB in [0, 1].
    """

    tubes: Tubes
    parts: NDArray[np.int64]
    colors: NDArray[np.float32]

    @cached_property
    def _points(self) -> Array:
        return to_oklab(self.colors) * STRETCH

    def nearest(self, colors: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
        """``[N]`` index of the mixture that looks most like each of sRGB ``[N, 3]``."""
        points = to_oklab(np.asarray(colors)) * STRETCH
        half = (self._points**2).sum(axis=1) / 2
        found = [np.zeros(0, np.intp)]
        found += [
            (half - points[begin : begin + NEAR] @ self._points.T).argmin(axis=1)
            for begin in range(0, len(points), NEAR)
        ]
        return np.concatenate(found)

    def needed(self, colors: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
        """``[M]`` indices of the mixtures that look most like sRGB ``[N, 3]``, and of some of every kind."""
        seen = np.unique(np.round(np.asarray(colors) * SHADES), axis=0) / SHADES
        some = np.unique(np.floor(self._points / SPREAD), axis=0, return_index=True)[1]
        return np.union1d(self.nearest(seen), some)

    def recipe(self, index: int) -> tuple[tuple[Tube, int], ...]:
        """The tubes of a mixture and their parts, most first."""
        chosen = np.argsort(-self.parts[index], kind="stable")[: np.count_nonzero(self.parts[index])]
        return tuple((self.tubes.tubes[tube], int(self.parts[index, tube])) for tube in chosen)


@lru_cache(maxsize=2)  # paintings, files and pictures of a folder mostly share their tubes
def _mixed(tubes: Tubes) -> Mixtures:
    """See `Tubes.mixtures`."""
    parts = np.concatenate([_all_parts(len(tubes.tubes), n) for n in range(1, TOGETHER + 1)])
    colors = tubes.colors(parts)
    cells = np.floor(to_oklab(colors) * STRETCH / FINENESS)
    first = np.unique(cells, axis=0, return_index=True)[1]  # they are sorted from the simplest on
    kept = np.sort(first)
    return Mixtures(tubes, parts[kept], colors[kept].astype(np.float32))


def _all_parts(tubes: int, together: int) -> NDArray[np.int64]:
    """Parts ``[N, tubes]`` of all mixtures of that many of the tubes, from the simplest on."""
    every = itertools.product(PARTS, repeat=together)
    ratios = sorted((each for each in every if math.gcd(*each) == 1 and sum(each) <= MOST_PARTS), key=sum)
    chosen = np.array(list(itertools.combinations(range(tubes), together)), np.intp).reshape(-1, together)
    parts = np.zeros((len(ratios), len(chosen), tubes), np.int64)
    rows = np.arange(len(chosen))[:, None]
    for n, ratio in enumerate(ratios):
        parts[n, rows, chosen] = ratio
    return parts.reshape(-1, tubes)


def read_tubes(path: Path = SHIPPED) -> Tubes:
    """The tubes in a TOML file: those that ship, by their names, and others by their numbers.

    ``tubes = ["Titanium White", "Yellow Ochre"]`` names some that ship; ``[[tube]]`` with ``name``,
    ``index``, ``absorption`` and ``scattering`` adds one, as in the file that ships.

    Raises:
        OSError: it cannot be read.
        InputError: it is not such a file.
    """
    document = read_toml(path, "a TOML file of tubes", MAX_BYTES)
    surface = document.get("surface", {})
    found = [_tube(record, path) for record in _tables(document.get("tube", []), path)]
    sides = {"outside": 0.03, "inside": 0.65}
    if path != SHIPPED:
        shipped = read_tubes(SHIPPED)
        sides = {"outside": shipped.outside, "inside": shipped.inside}
        known = {tube.name.lower(): tube for tube in shipped.tubes}
        for name in reversed(_names(document.get("tubes", []), path)):
            if name.lower() not in known:
                names = ", ".join(tube.name for tube in shipped.tubes)
                raise InputError(f"{path}: {name!r} is not a tube that ships, wanted one of {names}")
            found.insert(0, known[name.lower()])
    for side in sides:
        if isinstance(surface, dict) and side in surface:
            sides[side] = _number(surface[side], f"{path}: {side} of surface", 0, 0.99)
    if not 1 <= len(found) <= MAX_TUBES or len({tube.name for tube in found}) < len(found):
        raise InputError(f"{path}: there are {len(found)} tubes in it, wanted 1 to {MAX_TUBES}, none twice")
    return Tubes(tuple(found), **sides)


def _names(value: Any, path: Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError(f"{path}: tubes is {str(value)[:40]!r}, wanted a list of names")
    return value


def _tables(value: Any, path: Path) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise InputError(f"{path}: tube is {str(value)[:40]!r}, wanted [[tube]] before each")
    return value


def _tube(record: Mapping[str, Any], path: Path) -> Tube:
    name = record.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 60:
        raise InputError(f"{path}: name of a tube is {str(name)[:40]!r}, wanted up to 60 letters")
    curves = []
    for kind, least in (("absorption", 0.0), ("scattering", 1e-6)):
        values = record.get(kind)
        where = f"{path}: {kind} of {name!r}"
        if not isinstance(values, list) or len(values) != BANDS:
            raise InputError(
                f"{where} is missing or of another length, wanted {BANDS} numbers, 380 to 750 nm"
            )
        curves.append(tuple(_number(value, where, least, 1e6) for value in values))
    return Tube(name.strip(), str(record.get("index", ""))[:20], *curves)


def _number(value: Any, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{where} holds {str(value)[:20]!r}, wanted numbers from {low:g} to {high:g}")
    return float(value)
