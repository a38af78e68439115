"""Styles: named hands, each with a ground, a brush and ends, from small TOML files.

A person's own style is such a file, loaded by its path; plug-ins bring others through `STYLES`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.names import inside
from semantic_guidance.core.plugins import STYLES, PluginError
from semantic_guidance.core.toml import read_toml
from semantic_guidance.images.color import Color, parse_color
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.presets import DEFAULT_STYLE
from semantic_guidance.painting.brushes import BRUSHES, DIALS
from semantic_guidance.painting.layers import Ends
from semantic_guidance.renderer.definition import ENDS

if TYPE_CHECKING:
    from semantic_guidance.painting.brushes.brush import Brush

GROUNDS = ("toned", "mean")
MARKS = ("strokes", "ink", "pencil", "colored-pencil", "lines")
MAX_BYTES = 1 << 16
MAX_NAME = 64
"""Letters of a name that a painting keeps."""

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Style:
    """A manner of painting.

    Attributes:
        name: for people.
        summary: what it looks like, in a few words.
        hand: how strokes are made; None for a likeness: strokes of any kind, each where the error is.
        ground: the empty canvas: a colour, ``toned`` (warm and darker than the picture) or ``mean`` (the
            picture's mean colour).
        brush: how the strokes look: a name in `BRUSHES` or the file of a picture.
        dials: of the brush, by name, see `Brush`.
        ends: how strokes end, one of `ENDS`.
        marks: what is made: ``strokes``; a drawing in ``ink``, ``pencil`` or ``colored-pencil``; or the
            ``lines`` of a picture that is a line drawing.
    """

    name: str
    summary: str = ""
    hand: Hand | None = None
    ground: Color | str = "mean"
    brush: str = "flat"
    dials: dict[str, Any] = field(default_factory=dict)
    ends: Ends = "round"
    marks: str = "strokes"

    def __post_init__(self) -> None:
        for name, words in (("ends", ENDS), ("marks", MARKS)):
            if getattr(self, name) not in words:
                raise ValueError(f"{name} is {getattr(self, name)!r}, wanted one of {', '.join(words)}")
        if isinstance(self.ground, str) and self.ground not in GROUNDS:
            raise ValueError(f"ground is {self.ground!r}, wanted {' or '.join(GROUNDS)}, or a colour")
        if self.hand is None and self.marks != "strokes":
            object.__setattr__(self, "hand", Hand())

    def record(self) -> dict[str, Any] | None:
        """The name, ends, marks and all dials of its hand, as a painting keeps them; None if it has none."""
        if self.hand is None:
            return None
        name = self.name[:MAX_NAME]
        return {"style": name, "ends": self.ends, "marks": self.marks, "dials": self.hand.dials()}

    @staticmethod
    def of_record(record: Mapping[str, Any] | None, source: str) -> Style:
        """The style of a painting: that of its name, if there is one, with the dials of its hand.

        Args:
            record: see `record`.
            source: of the record, for messages.

        Raises:
            InputError: a dial is not known, or its value is not usable.
        """
        if record is None:
            return Style.of("likeness")
        name = record["style"]
        style = Style.of(name) if name in STYLES else Style(name, brush=Style.of(DEFAULT_STYLE).brush)
        ends, marks = record.get("ends", style.ends), record.get("marks", style.marks)
        try:
            return dataclasses.replace(
                style, hand=Hand.of(record["dials"], source), ends=ends, marks=marks, name=name
            )
        except ValueError as error:
            raise InputError(f"{source}: {error}") from None

    def make_brush(self, seed: int) -> Brush:
        """The brush, whose texture has this seed.

        Raises:
            ValueError: there is no such brush.
        """
        from semantic_guidance.painting.brushes.brush import Brush

        return dataclasses.replace(Brush.of(self.brush, seed), **self.dials)

    @staticmethod
    def of(name: str | Path) -> Style:
        """The style of that name, or that of a file of dials.

        Raises:
            InputError: there is no such style, or something in the file is wrong; the message says what.
            OSError: the file cannot be read.
        """
        word = str(name)
        if word in STYLES:
            style = STYLES.get(word)
            if not isinstance(style, Style):
                raise PluginError(f"style {word!r} is {style!r}, wanted a painter.styles.Style")
            return style
        if not word.endswith(".toml"):
            raise InputError(f"style is {word!r}, {STYLES.wanted(word)}, or the path of a .toml file")
        return read_style(Path(word))


def read_style(path: Path) -> Style:
    """The style in a TOML file.

    Raises:
        InputError: something in it is wrong; the message names the file and the place.
        OSError: it cannot be read.
    """
    return _style(read_toml(path, "a style", MAX_BYTES), path)


def _style(document: dict[str, Any], path: Path) -> Style:
    wanted = {"summary": str, "ground": str, "brush": str, "ends": str, "marks": str, "hand": dict}
    wanted["dials"] = dict
    for name, value in document.items():
        if name not in wanted:
            raise InputError(f"{path}: {name} is not known, wanted one of {', '.join(wanted)}")
        if not isinstance(value, wanted[name]):
            kind = "a table" if wanted[name] is dict else "a text in quotes"
            raise InputError(f"{path}: {name} is {value!r}, wanted {kind}")
    for name, value in document.get("dials", {}).items():
        if name not in DIALS:
            raise InputError(f"{path}: {name} is not a dial of a brush, wanted one of {', '.join(DIALS)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(f"{path}: {name} of the brush is {value!r}, wanted a number from 0 to 1")
    hand = Hand.of(document["hand"], str(path)) if "hand" in document else None
    if hand is None and "marks" not in document:
        for name in ("ground", "ends"):
            if name in document:
                raise InputError(f"{path}: {name} is given without a hand, wanted a table [hand] as well")
    try:
        return Style(
            name=path.stem,
            summary=document.get("summary", ""),
            hand=hand,
            ground=_ground(document.get("ground", "toned"), path),
            brush=_brush(document.get("brush", "flat"), path),
            dials=document.get("dials", {}),
            ends=document.get("ends", "round"),
            marks=document.get("marks", "strokes"),
        )
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _brush(word: str, path: Path) -> str:
    """A brush's name, or the path of its picture beside the style's file."""
    if word in BRUSHES:
        return word
    picture = inside(path.parent, word, path)
    if not picture.is_file():
        names = ", ".join(BRUSHES)
        raise InputError(f"{path}: brush is {word!r}, wanted one of {names}, or a picture beside this file")
    return str(picture)


def _ground(word: str, path: Path) -> Color | str:
    if word in GROUNDS:
        return word
    try:
        return parse_color(word)
    except ValueError:
        wanted = f"{', '.join(GROUNDS)}, or a colour such as #c0ffee"
        raise InputError(f"{path}: ground is {word!r}, wanted {wanted}") from None


@cache
def shipped(name: str) -> Style:
    """A style that ships, by the name of its file."""
    return dataclasses.replace(read_style(FOLDER / f"{name}.toml"), name=name)


def __getattr__(name: str) -> Style:
    """The styles that ship, for the registry."""
    if re.fullmatch(r"[a-z-]+", name) and (FOLDER / f"{name}.toml").is_file():
        return shipped(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
