"""In which style a job is painted: read from its options."""

from __future__ import annotations

from dataclasses import replace

from semantic_guidance.apps.options import HandOptions
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError
from semantic_guidance.painter.styles import DEFAULT, Style

DIALS = ("length", "width", "curvature", "flow", "looseness", "edges", "economy", "saturation", "warmth")
"""Options that are dials of a hand."""

COLORFUL = ("jitter", "temperature", "hue")
"""Dials of a hand that ``--variety`` multiplies."""


def make_style(options: HandOptions, bare: bool, own: Style | None = None) -> Style:
    """The style that the options ask for.

    Args:
        options: of a person.
        bare: whether a likeness is what they ask for if they name no style.
        own: what they ask for in that case; a likeness or the default if None.

    Raises:
        InputError: something is wrong with them.
        OSError: a style's file cannot be read.
    """
    asked = {
        name: value
        for name in (*DIALS, "opacity", "variety")
        if (value := getattr(options, name)) is not None
    }
    plain = bare and not asked
    if own is None or options.style is not None:
        own = _named(options.style or ("likeness" if plain else DEFAULT))
    style = own
    if not asked:
        return style
    if style.hand is None:
        name = next(iter(asked))
        raise OptionError(name, f"the style {style.name!r} has no hand, wanted another --style")
    hand = replace(style.hand, **{name: value for name, value in asked.items() if name in DIALS})
    if "opacity" in asked:
        hand = replace(hand, opacity=(asked["opacity"],) * 2)
    if "variety" in asked:
        more = {name: min(1.0, asked["variety"] * getattr(hand, name)) for name in COLORFUL}
        hand = replace(hand, **more)
    return replace(style, hand=hand)


def _named(word: str) -> Style:
    try:
        return Style.of(word)
    except InputError as error:
        kind, _, complaint = str(error).partition(" is ")
        if kind != "style":
            raise
        raise OptionError("style", f"got {complaint}") from None
