"""The exceptions that callers tell apart."""


class NotFiniteError(ValueError):
    """Strokes hold infinity or NaN: what made them has diverged."""


class InputError(ValueError):
    """Something given to the program is not usable: the message names it and says what is wanted."""
