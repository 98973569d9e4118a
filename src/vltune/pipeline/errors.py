"""The exceptions that are shown to the user without a traceback."""


class InputError(ValueError):
    """Wrong input: the message says what was expected, what came and what to change."""


class Diverged(InputError):
    """The loss of a training is not finite: its learning rates are too high."""
