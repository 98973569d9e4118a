"""One seed gives a named generator per purpose, so that no use of chance can disturb another."""

from __future__ import annotations

import hashlib
import random

import numpy as np


def derive(seed: int, purpose: str) -> int:
    """Derive a 63-bit seed from a seed and the name of what it is for, by SHA-256."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def python_generator(seed: int, purpose: str) -> random.Random:
    """Give a generator of the standard library for one purpose."""
    return random.Random(derive(seed, purpose))


def numpy_generator(seed: int, purpose: str) -> np.random.Generator:
    """Give a numpy generator for one purpose."""
    return np.random.default_rng(derive(seed, purpose))
