"""vltune: a comparison of parameter-efficient fine-tuning methods that can be trusted."""

__version__ = "0.1.0"
