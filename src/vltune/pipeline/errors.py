"""The exceptions that are shown to the user without a traceback."""


class InputError(ValueError):
    """Wrong input: the message says what was expected, what came and what to change."""


class Diverged(InputError):
    """A training whose loss is no longer a number: its learning rates are too high."""
