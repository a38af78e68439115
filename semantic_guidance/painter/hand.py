"""How a hand makes its strokes: the constraints and terms under which they are planned and refined.

Strokes lie in layers, from wide to fine. Nothing here needs torch, so that the command line's help comes at
once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from semantic_guidance.core.errors import InputError

MAX_LAYERS = 8
LARGEST = 1e9
"""No dial is further from 0."""

WIDEST = 0.25
"""Greatest radius of any layer."""

SHARES = (0.05, 0.15, 0.30, 0.33, 0.17)
RADII = (0.045, 0.022, 0.011, 0.0062, 0.003)

BOUNDS: dict[str, tuple[float, float]] = {
    "shares": (0, 1),
    "radii": (1e-4, WIDEST),
    "shrink": (0, 1),
    "finest": (1e-4, WIDEST),
    "width": (0.1, 10),
    "spread": (0.1, 10),
    "length": (0.1, 10),
    "aspect": (0.1, 40),
    "curvature": (0, 1),
    "taper": (0, 1),
    "opacity": (0.02, 1),
    "flow": (0, 1),
    "smoothness": (0.5, 10),
    "looseness": (0, 1),
    "edges": (0, 1),
    "overlap": (0, 1),
    "economy": (0, 1),
    "ground_shown": (0, 1),
    "lines": (0, 1),
    "tones": (0, 64),
    "saturation": (0, 4),
    "contrast": (0, 4),
    "warmth": (-1, 1),
    "jitter": (0, 1),
    "temperature": (0, 1),
    "hue": (0, 1),
    "colors": (0, 64),
    "load": (0, 1),
    "work": (0, 4),
}
"""Least and greatest value of each dial."""


@dataclass(frozen=True)
class Hand:
    """How strokes are made. Lengths are in units of the picture's longer side.

    Attributes:
        shares: of the strokes, layer by layer, from wide to fine.
        radii: of the strokes, layer by layer, for 1,000 of them.
        shrink: exponent with which radii fall where there are more strokes.
        finest: least radius.
        width: factor of all radii.
        spread: least and greatest radius against that of the layer.
        length: factor of `aspect`.
        aspect: least and greatest length of a stroke against its width.
        curvature: greatest distance of a stroke's control point from the middle of its chord, against the
            chord.
        taper: how much thinner one end may be than the other: 0 not at all, 1 as thin as a point.
        opacity: of the strokes, from that of the first layer to that of the last.
        flow: how strongly strokes are held along the picture's directions while they are refined.
        smoothness: scale of these directions, in radii of the layer.
        looseness: how far strokes turn from them where the picture has texture without direction, and how
            far they run over into other colours.
        edges: whether strokes stop where an object begins (1, edges are found) or run over (0, lost).
        overlap: share of a stroke's width by which its neighbours may cover it when it is placed.
        economy: how much fewer and larger strokes are where the eye does not go. With it, strokes that
            are worth nothing are left out.
        ground_shown: share of the canvas where the ground is left bare: where it is most like the picture.
        lines: share of the last layer's strokes that draw lines thinner than the finest radius.
        tones: levels of lightness to which the picture is simplified; 0 for all.
        saturation: factor of the colours' chroma.
        contrast: factor of the lightness's distance from the mean.
        warmth: shift of lights towards warm and of darks towards cool colours; negative the other way.
        jitter: by which finished strokes differ in lightness.
        temperature: by which they differ between warm and cool.
        hue: by which they differ in hue, lightness kept.
        colors: number of colours of which all strokes are, dithered from stroke to stroke; 0 for any.
        load: paint that strokes carry, from those of the first layer to those of the last.
        work: refinement steps, against those of the preset.
        pale_first: whether strokes of one layer go from light to dark, as watercolour does, and strokes as
            light as the ground are left out.

    Raises:
        ValueError: a dial is out of its range.
    """

    shares: tuple[float, ...] = SHARES
    radii: tuple[float, ...] = RADII
    shrink: float = 0.4
    finest: float = 0.002
    width: float = 1.0
    spread: tuple[float, float] = (0.6, 1.35)
    length: float = 1.0
    aspect: tuple[float, float] = (2.5, 10.0)
    curvature: float = 0.22
    taper: float = 0.45
    opacity: tuple[float, float] = (1.0, 1.0)
    flow: float = 0.5
    smoothness: float = 1.5
    looseness: float = 0.5
    edges: float = 0.5
    overlap: float = 0.25
    economy: float = 0.5
    ground_shown: float = 0.0
    lines: float = 0.0
    tones: int = 0
    saturation: float = 1.05
    contrast: float = 1.0
    warmth: float = 0.0
    jitter: float = 0.1
    temperature: float = 0.1
    hue: float = 0.0
    colors: int = 0
    load: tuple[float, float] = (0.15, 1.0)
    work: float = 1.0
    pale_first: bool = False

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = _read(getattr(self, item.name), type(item.default), item.name, item.default)
            object.__setattr__(self, item.name, value)
            if item.name not in BOUNDS:
                continue
            low, high = BOUNDS[item.name]
            for number in value if isinstance(value, tuple) else (value,):
                if not low <= number <= high:
                    raise ValueError(f"{item.name} is {number}, wanted {low:g} to {high:g}")
        if not 1 <= len(self.radii) <= MAX_LAYERS or len(self.shares) != len(self.radii):
            raise ValueError(
                f"radii has {len(self.radii)} layers and shares {len(self.shares)}, wanted as many, at most"
                f" {MAX_LAYERS}"
            )
        if abs(sum(self.shares) - 1) > 1e-3:
            raise ValueError(f"shares has a sum of {sum(self.shares):g}, wanted 1")
        for name in ("spread", "aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is {low:g} to {high:g}, wanted the least first")

    @staticmethod
    def of(dials: Mapping[str, Any], source: str) -> Hand:
        """The hand with these dials, all others as they are by default.

        Args:
            dials: by name, as TOML and JSON give them.
            source: of the dials, for messages.

        Raises:
            InputError: there is no such dial, or its value is not usable.
        """
        known = [item.name for item in dataclasses.fields(Hand)]
        for name in dials:
            if name not in known:
                raise InputError(
                    f"{source}: {name} is not a dial of a hand, wanted one of {', '.join(known)}"
                )
        try:
            return Hand(**dials)
        except ValueError as error:
            raise InputError(f"{source}: {error}") from None

    def dials(self) -> dict[str, Any]:
        """All dials by name, as JSON can hold them."""
        return {
            item.name: list(value) if isinstance(value := getattr(self, item.name), tuple) else value
            for item in dataclasses.fields(self)
        }

    def radii_for(self, strokes: int) -> tuple[float, ...]:
        """Radius of each layer for a number of strokes, at most `WIDEST`."""
        factor = self.width * (1000 / max(1, strokes)) ** self.shrink
        least = self.finest * min(1.0, self.width)
        return tuple(min(max(least, radius * factor), WIDEST) for radius in self.radii)

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest length of a stroke against its width."""
        return self.aspect[0] * min(1.0, self.length), self.aspect[1] * self.length

    def between(self, name: str) -> tuple[float, ...]:
        """A dial that goes from the first layer to the last, layer by layer."""
        first, last = getattr(self, name)
        steps = max(1, len(self.radii) - 1)
        return tuple(first + (last - first) * layer / steps for layer in range(len(self.radii)))


def _read(value: Any, kind: type, name: str, default: Any) -> Any:
    """A dial's value as its kind."""
    if kind is tuple:
        numbers = isinstance(value, list | tuple) and all(_is_number(each) for each in value)
        if not numbers:
            raise ValueError(f"{name} is {value!r}, wanted a list of numbers")
        if len(default) == 2 and len(value) != 2:
            raise ValueError(f"{name} has {len(value)} numbers, wanted 2")
        return tuple(float(each) for each in value)
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, wanted true or false")
        return value
    if not _is_number(value) or (kind is int and value != int(value)):
        raise ValueError(f"{name} is {value!r}, wanted a {'whole ' if kind is int else ''}number")
    return kind(value)


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= LARGEST  # not infinite, nor NaN, nor a whole number that no float can hold
