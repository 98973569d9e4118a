"""The one exception that is shown to the user without a traceback."""


class InputError(ValueError):
    """Wrong input: the message says what was expected, what came and what to change."""
