"""In which style a job is painted: read from its options."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from semantic_guidance.apps.hand_options import HandOptions
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError
from semantic_guidance.images.arrays import to_array
from semantic_guidance.painter.lines.art import is_line_drawing
from semantic_guidance.painter.presets import DEFAULT_STYLE
from semantic_guidance.painter.styles import Style

DIALS = ("length", "width", "curvature", "flow", "looseness", "edges", "economy", "saturation", "warmth")
"""Options that are dials of a hand."""

DRAWN = ("length", "width", "opacity")
"""Options that change drawings by lines."""

COLORFUL = ("jitter", "temperature", "hue")
"""Dials of a hand that ``--variety`` multiplies."""


def make_style(
    options: HandOptions,
    image: Tensor | None = None,
    *,
    agent: bool = False,
    plotter: bool = False,
    own: Style | None = None,
) -> Style:
    """The style that the options ask for.

    Args:
        options: of a person.
        image: ``[3, H, W]`` that is to be painted line by line if it is a line drawing.
        agent: whether they name an agent, which makes a likeness.
        plotter: whether they want files for plotters, which are likenesses unless a style is named.
        own: what they ask for if they name no style, whatever the rest says.

    Raises:
        InputError: something is wrong with them.
        OSError: a style's file cannot be read.
    """
    given = {name: getattr(options, name) for name in (*DIALS, "opacity", "variety")}
    asked = {name: value for name, value in given.items() if value is not None}
    if options.style is not None:
        style = _named(options.style)
    elif own is not None:
        style = own
    elif image is not None and not asked and not agent and is_line_drawing(to_array(image)):
        style = _named("lines")
    else:
        style = _named("likeness" if (agent or plotter) and not asked else DEFAULT_STYLE)
    if not asked:
        return style
    for name in asked:
        if style.hand is None or (style.marks != "strokes" and name not in drawn_dials(style)):
            what = "no hand" if style.hand is None else "no such dial"
            raise OptionError(name, f"the style {style.name!r} has {what}, wanted another --style")
    assert style.hand is not None
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


def drawn_dials(style: Style) -> tuple[str, ...]:
    """The options that change a style of lines."""
    if style.marks == "lines":
        return ()
    return (*DRAWN, "saturation") if style.marks == "colored-pencil" else DRAWN
