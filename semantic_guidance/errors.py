"""The one exception for what a person can put right."""


class InputError(ValueError):
    """Something given to the program is not usable: the message names it and says what is wanted."""
