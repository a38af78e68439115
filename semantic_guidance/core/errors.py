"""The exceptions that others tell apart."""


class NotFiniteError(ValueError):
    """Strokes hold an infinite number, or none at all: whoever made them went astray."""


class InputError(ValueError):
    """Something given to the program is not usable: the message names it and says what is wanted."""
