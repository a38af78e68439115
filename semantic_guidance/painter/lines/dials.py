"""How drawings are made by lines: in ink, in pencil, in coloured pencil."""

from __future__ import annotations

from dataclasses import dataclass, replace

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Hatching:
    """One layer of hatching.

    Attributes:
        angle: between its lines and the form, in radians.
        most: share of the paper that it covers at most.
        width: of its lines, in multiples of a contour's.
    """

    angle: float
    most: float
    width: float = 1.0


@dataclass(frozen=True)
class LineStyle:
    """How a drawing is made. Lengths are in units of the longer side.

    Attributes:
        radius: half of a line's width in a drawing of 1,000 lines.
        shrink: radii go with the number of lines to the power of minus this.
        contours: share of the lines that contours get at most.
        outline: how much firmer objects' outlines are than other contours, at least 0.
        attention: how much more a contour counts in the focus.
        fineness: how much thinner lines are in the focus, in [0, 1).
        layers: of hatching, in the order in which they fill.
        darkest: share of the paper covered in the deepest shade.
        gamma: least exponent of the tone; few lines raise it, so that they are left for the darks.
        light: darkness, as a share of the picture's range, below which paper stays bare.
        relief: how much local contrast is raised.
        background: factor of the tone outside of the objects.
        reach: least and greatest length of a hatching line.
        form: scale of the directions that hatching follows.
        taper: what is left of a line's width at its end.
        fade: what is left of a hatching line's opacity at its end.
        wobble: how far lines' widths vary.
        opacity: of the lightest and the heaviest line.
        ink: colour of the lines.
        colored: how far they take the picture's colour, in [0, 1].
        paper: colour of the ground.
    """

    radius: float = 0.0019
    shrink: float = 0.4
    contours: float = 0.4
    outline: float = 1.5
    attention: float = 12.0
    fineness: float = 0.4
    layers: tuple[Hatching, ...] = (Hatching(0.0, 0.5), Hatching(0.9, 0.42), Hatching(-0.5, 0.4))
    darkest: float = 0.85
    gamma: float = 1.55
    light: float = 0.05
    relief: float = 0.5
    background: float = 0.75
    reach: tuple[float, float] = (0.07, 0.22)
    form: float = 0.025
    taper: float = 0.4
    fade: float = 1.0
    wobble: float = 0.15
    opacity: tuple[float, float] = (0.96, 0.96)
    ink: Color = (0.09, 0.08, 0.11)
    colored: float = 0.0
    paper: Color = (0.97, 0.96, 0.93)


INK = LineStyle()
"""Pen and ink."""

PENCIL = LineStyle(
    radius=0.0019,
    contours=0.35,
    layers=(Hatching(0.0, 0.5, 1.3), Hatching(0.35, 0.5, 1.3), Hatching(-0.5, 0.5, 1.3)),
    darkest=0.8,
    gamma=1.1,
    light=0.04,
    reach=(0.07, 0.2),
    taper=0.3,
    fade=0.6,
    wobble=0.25,
    opacity=(0.28, 0.85),
    ink=(0.13, 0.13, 0.15),
    paper=(0.98, 0.975, 0.96),
)
"""Pencil: broad soft lines over each other."""

COLORED_PENCIL = replace(PENCIL, colored=0.85, opacity=(0.4, 0.9))
"""Pencils of the picture's colours."""
