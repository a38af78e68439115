"""What a person says about the photograph: which picture of a file it is, and what is in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from semantic_guidance.apps.options import Box, parse_box
from semantic_guidance.core.options import OptionError, option
from semantic_guidance.core.plugins import GUIDES


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """Which of several pictures in a file."""

    frame: int | None = option(
        None,
        "which frame of an animation, or page of a TIFF, counted from 1 (default: the first)",
        metavar="N",
        min=1,
    )


@dataclass(frozen=True, kw_only=True)
class GuidanceOptions:
    """What is known about the picture."""

    baseline: bool = option(False, "paint without knowing what the picture is of", aliases=("--no-guidance",))
    mask: Path | tuple[Path, ...] | None = option(
        None,
        "picture or .npy that is bright where the object is; of labels (0, 1, 2, ...) and of colours on black"
        " each is an object, and so is each --mask of several",
        metavar="FILE",
        parse=Path,
        repeated=True,
    )
    invert_mask: bool = option(False, "the masks are dark, or of colours on white, where the object is")
    box: Box | tuple[Box, ...] | None = option(
        None,
        "where the object is, in pixels from the top left of the upright picture; each of several is round"
        " an object",
        metavar="X,Y,W,H",
        parse=parse_box,
        repeated=True,
    )
    guide: str = option(
        "default",
        lambda: f"who finds the objects, one of {', '.join(GUIDES.names())} (default: %(default)s)",
        metavar="NAME",
    )
    foreground_share: float | None = option(
        None,
        "share of the strokes, 0 to 1, that objects get (default: by their area)",
        metavar="SHARE",
        min=0,
        max=1,
    )
    show_guidance: bool = option(
        False,
        "also write NAME_guidance.png: the photograph with the mask, box and focus that were used",
    )

    @property
    def masks(self) -> tuple[Path, ...]:
        """The files of all masks.

        Raises:
            OptionError: one is no name of a file.
        """
        if self.mask is None:
            return ()
        many: Any = self.mask if isinstance(self.mask, tuple | list) else (self.mask,)
        for name in many:
            if not isinstance(name, str | Path):
                raise OptionError("mask", f"got {name!r}, wanted the name of a file, or a list of names")
        return tuple(map(Path, many))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes.

        Raises:
            OptionError: one is none.
        """
        if not self.box:
            return ()
        several = isinstance(self.box, tuple | list) and isinstance(self.box[0], tuple | list)
        many: Any = self.box if several else (self.box,)
        for box in many:
            if not _is_box(box):
                raise OptionError("box", f"got {box}, wanted X,Y,W,H in pixels, W and H above 0")
        return tuple(tuple(box) for box in many)


def _is_box(box: Any) -> bool:
    """Whether it is four finite numbers, the last two above 0."""
    if not isinstance(box, tuple | list) or len(box) != 4:
        return False
    return all(isinstance(n, Real) and math.isfinite(n) for n in box) and min(box[2:]) > 0
