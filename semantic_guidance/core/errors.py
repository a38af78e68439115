"""The exceptions that callers tell apart."""

from __future__ import annotations

from semantic_guidance.core.shown import printable


class NotFiniteError(ValueError):
    """Strokes hold infinity or NaN: what made them has diverged."""


class InputError(ValueError):
    """Something given to the program is not usable: the message names it and says what is wanted.

    Names and reasons come out of files: what a terminal would obey in them is spelled out.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(message))


class RoomError(InputError):
    """Memory is short, and the message says what to make smaller."""
