"""Paper and brushes that people have, in mm."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_guidance.core.lengths import parse_several

PAPERS = {
    "a6": (105.0, 148.0),
    "a5": (148.0, 210.0),
    "a4": (210.0, 297.0),
    "a3": (297.0, 420.0),
    "a2": (420.0, 594.0),
    "a1": (594.0, 841.0),
    "a0": (841.0, 1189.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (279.4, 431.8),
}
"""Width and height in mm, upright."""

MARGIN = 0.05
"""Share of the paper's shorter side that stays free on every side, unless a margin is wanted."""

SIDES = (20.0, 5000.0)
"""Bounds of a paper's sides in mm."""

LEAST = 10.0
"""Mm between the margins, at least."""

MAX_BRUSHES = 16

WIDTHS = (1.0, 40.0)
"""Range of the widths of opaque strokes in mm, by default."""


def parse_paper(word: str) -> tuple[float, float]:
    """The name of a paper size, or ``WxH`` in mm or other units; the last unit is that of both.

    >>> parse_paper("A4"), parse_paper("30x40cm"), parse_paper("letter") == parse_paper("8.5x11in")
    ((210.0, 297.0), (300.0, 400.0), True)

    Raises:
        ValueError: it is neither, or a side is out of `SIDES`.
    """
    name = word.strip().lower()
    if name in PAPERS:
        return PAPERS[name]
    low, high = SIDES
    wanted = f"{', '.join(PAPERS)}, or WxH from {low:g} to {high:g} mm, such as 300x400, 30x40cm or 8.5x11in"
    try:
        width, height = parse_several(word, name.replace("\u00d7", "x").split("x"))
    except ValueError:
        raise ValueError(f"got {word!r}, wanted {wanted}") from None
    if not all(low <= side <= high for side in (width, height)):
        raise ValueError(f"got {word!r}, which is {width:g} x {height:g} mm, wanted {wanted}")
    return width, height


def check_margin(paper: tuple[float, float], margin: float | None) -> None:
    """Check that a margin in mm leaves something of the paper.

    Raises:
        ValueError: it does not.
    """
    most = (min(paper) - LEAST) / 2
    if margin is not None and not 0 <= margin <= most:
        raise ValueError(
            f"margin is {margin:g} mm, wanted 0 to {most:g} on paper of {paper[0]:g} x {paper[1]:g} mm"
        )


@dataclass(frozen=True)
class Sheet:
    """A painting on paper.

    Attributes:
        width: of the paper in mm, landscape or portrait like the painting.
        height: of the paper in mm.
        unit: mm of the painting's longer side.
        left: mm to the painting from the left.
        top: mm to the painting from the top.
    """

    width: float
    height: float
    unit: float
    left: float
    top: float

    @staticmethod
    def of(paper: tuple[float, float], height: float, width: float, margin: float | None = None) -> Sheet:
        """The largest painting of some height and width on `paper` (width and height in mm), centred.

        Args:
            paper: width and height in mm, either way round.
            height: of the painting, in any unit.
            width: of the painting, in the same unit.
            margin: least distance in mm to the paper's edges; `MARGIN` of its shorter side if None.
        """
        across, down = sorted(paper, reverse=width > height)
        free = MARGIN * min(paper) if margin is None else margin
        scale = min((across - 2 * free) / width, (down - 2 * free) / height)
        left, top = (across - scale * width) / 2, (down - scale * height) / 2
        return Sheet(across, down, scale * max(width, height), left, top)
