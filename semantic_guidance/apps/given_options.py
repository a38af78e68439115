"""What a person says about the photograph: which picture of a file it is, and what is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from semantic_guidance.apps.options import Box, Place, parse_box, parse_place
from semantic_guidance.core.config import finite
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
    point: Place | tuple[Place, ...] | None = option(
        None,
        "where the object is, in pixels from the top left of the upright picture: what lies there is painted"
        " as one; points in one thing are one object; with --mask, --box, --text or --guidance it is added to"
        " what these show",
        metavar="X,Y",
        parse=parse_place,
        repeated=True,
    )
    not_point: Place | tuple[Place, ...] | None = option(
        None,
        "where something is that is no object: it is taken away from what --point, --mask, --box, --text or"
        " --guidance show, or from what is found",
        metavar="X,Y",
        parse=parse_place,
        repeated=True,
    )
    box: Box | tuple[Box, ...] | None = option(
        None,
        "where the object is, in pixels from the top left of the upright picture; each of several is round"
        " an object",
        metavar="X,Y,W,H",
        parse=parse_box,
        repeated=True,
    )
    text: str | None = option(
        None,
        "what the object is, in a word: face, person, or something that an ImageNet classifier knows, such as"
        " dog or car; only that is painted as an object",
        metavar="WORD",
    )
    guidance: Path | None = option(
        None,
        "file (.json) of what is known of the picture: read if it is there, perhaps edited, and nothing is"
        " looked for; else written",
        metavar="FILE",
        parse=Path,
    )
    guide: str = option(
        "default",
        lambda: f"who finds the objects, one of {', '.join(GUIDES.names())} (default: %(default)s)",
        metavar="NAME",
    )
    foreground_share: float | None = option(
        None,
        "share of the strokes, 0 to 1, that objects get (default: as their errors are worth, by confidence);"
        " what is at most 50 % sure counts as background",
        metavar="SHARE",
        min=0,
        max=1,
    )
    show_guidance: bool = option(
        False,
        "also write NAME_guidance.png: the photograph with the objects by number, how sure they are, their"
        " share of the strokes, and the focus",
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
        return _several("box", self.box, _is_box, "X,Y,W,H in pixels, W and H above 0")

    @property
    def wanted_places(self) -> tuple[Place, ...]:
        """All places of objects.

        Raises:
            OptionError: one is none.
        """
        return _several("point", self.point, _is_place, "X,Y in pixels")

    @property
    def unwanted_places(self) -> tuple[Place, ...]:
        """All places of what is no object.

        Raises:
            OptionError: one is none.
        """
        return _several("not_point", self.not_point, _is_place, "X,Y in pixels")

    @property
    def told(self) -> tuple[str, ...]:
        """The names of the options by which a person says what the objects are."""
        names = ("mask", "box", "point", "not_point", "text", "guidance")
        return tuple(name for name in names if getattr(self, name) not in (None, ()))

    @property
    def pointed(self) -> bool:
        """Whether a person points at objects, in a file of guidance perhaps not."""
        return any(name != "guidance" for name in self.told)


def _several(name: str, value: Any, fits: Callable[[Any], bool], wanted: str) -> tuple[Any, ...]:
    """The values of an option of numbers that may be given several times.

    Raises:
        OptionError: one is none.
    """
    if not value:
        return ()
    many: Any = value if isinstance(value, tuple | list) and isinstance(value[0], tuple | list) else (value,)
    for each in many:
        if not fits(each):
            raise OptionError(name, f"got {each}, wanted {wanted}")
    return tuple(tuple(each) for each in many)


def _is_place(place: Any) -> bool:
    """Whether it is two finite numbers."""
    if not isinstance(place, tuple | list) or len(place) != 2:
        return False
    return all(isinstance(n, Real) and finite(n) for n in place)


def _is_box(box: Any) -> bool:
    """Whether it is four finite numbers, the last two above 0."""
    if not isinstance(box, tuple | list) or len(box) != 4:
        return False
    return all(isinstance(n, Real) and finite(n) for n in box) and min(box[2:]) > 0
