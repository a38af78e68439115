"""The brush that options ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.options import DialOptions, named
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.painting.brushes import BRUSHES, DIALS
from semantic_guidance.painting.brushes.light import light_of

if TYPE_CHECKING:
    from semantic_guidance.painting.brushes.brush import Brush


def make_brush(name: str | None, seed: int | None, options: DialOptions, kept: Brush | None = None) -> Brush:
    """The brush that options ask for.

    Args:
        name: of the brush, or the file of its picture; that of `kept` if None.
        seed: of its texture; that of `kept` if None.
        options: its dials and light; what they leave open is as in `kept`, if that has the same style.
        kept: the brush of a painting that is there already, if any.

    Raises:
        InputError: there is no such brush, or nothing of what an option asks for could be seen.
    """
    from semantic_guidance.painting.brushes.brush import Brush

    kept = kept or Brush()
    brush = kept
    if name is not None:
        given: str = name
        made: Brush = named(lambda: Brush.of(given, kept.seed))
        brush = replace(kept if made.style == kept.style else made, levels=made.levels, light=kept.light)
    changes: dict[str, Any] = {dial: value for dial in DIALS if (value := getattr(options, dial)) is not None}
    for dial in changes:
        _check_dial(brush, dial, dial)
    if options.light is not None:
        _check_dial(brush, "relief", "light")
        if replace(brush, **changes).dial("relief") == 0:
            raise OptionError("light", f"the {brush.style} brush has no relief, wanted --relief as well")
        try:
            changes["light"] = light_of(options.light)
        except ValueError as error:
            raise OptionError("light", str(error)) from None
    if seed is not None:
        changes["seed"] = seed
    return replace(brush, **changes)


def _check_dial(brush: Brush, dial: str, option: str) -> None:
    """Check that a dial of the brush changes something.

    Raises:
        OptionError: it does not; the message names the option.
    """
    from semantic_guidance.painting.brushes.brush import TURNED

    if dial not in TURNED[brush.style]:
        fitting = ", ".join(style for style in BRUSHES if dial in TURNED[style])
        raise OptionError(
            option, f"the {brush.style} brush has no {dial} to be seen, wanted --brush {fitting}"
        )


def flat_note(formats: tuple[str, ...], style: str) -> str | None:
    """What to tell a person whose brush does not show in some of the formats, if there are such."""
    shapes = [name for name in formats if EXPORTERS.get(name).flat]
    if style == "flat" or not shapes:
        return None
    return f"{', '.join(shapes)}: flat shapes, without the texture of the {style} brush"
