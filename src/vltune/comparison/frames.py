"""The tables of the comparison as pandas DataFrames: every
column with its type, unit and meaning, in one place.

`frame` builds a table of these columns, `read` reads one from a file, and `files.write_table` writes one.
Types are pandas' nullable ones, so that a whole number stays whole where another row has no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from vltune.comparison.tasks import TASKS
from vltune.pipeline.errors import InputError

TEXT, WHOLE, REAL = "string", "Int64", "Float64"


class Column(NamedTuple):
    """A column of a table; the unit is empty for names and for numbers without one."""

    name: str
    dtype: str
    unit: str
    meaning: str


def _scores(name: str) -> list[Column]:
    ends = [
        Column(f"{name}_{end}", REAL, "", f"{end} end of its interval over images") for end in ("low", "high")
    ]
    return [Column(name, REAL, "", f"{name} on the test images"), *ends]


RUN = [
    Column("task", TEXT, "", "caption or vqa"), Column("method", TEXT, "", "what was trained"),
    Column("seed", WHOLE, "", "of the training"),
]
SIZES = [
    Column("trained_parameters", WHOLE, "parameters", "trained in the decoder"),
    Column("trained_share", REAL, "share of 1", "of the decoder's parameters that are trained"),
    Column("projector_parameters", WHOLE, "parameters", "trained in the projector"),
    Column("checkpoint_bytes", WHOLE, "bytes", "size of the checkpoint's tensors"),
]
# A row for each run: metrics/comparison.csv.
COMPARISON = [
    *RUN,
    *(column for task in TASKS.values() for name in task.metrics for column in _scores(name)),
    *(Column(control.column, REAL, "", f"the main metric of the control: {control.label}")
      for task in TASKS.values() for control in task.controls),
    *SIZES,
    Column("everything_share", REAL, "share of 1", "of decoder and projector together that is trained"),
    *(Column(name, WHOLE if name == "vocabulary" else REAL, "", "see metrics/diversity.py")
      for task in TASKS.values() for name in task.diversity),
]
# A row for each trained run: metrics/resources.csv.
RESOURCES = [
    *RUN, Column("train_seconds", REAL, "s", "wall-clock time of the training"),
    Column("captions_per_second", REAL, "1/s", "training texts processed"),
    Column("peak_memory_bytes", WHOLE, "bytes", "most memory in use"),
    Column("step_seconds", REAL, "s", "median time of a step"),
]
METRIC = [Column("task", TEXT, "", "caption or vqa"), Column("metric", TEXT, "", "name of the metric")]
COUNTS = [
    Column("seeds", WHOLE, "", "of each method"), Column("images", WHOLE, "", "that the metric is about"),
]
ENDS = [Column("low", REAL, "of the metric", "low end of the interval"),
        Column("high", REAL, "of the metric", "high end of the interval")]
# A row for each metric and method: metrics/methods.csv.
METHODS = [
    *METRIC, Column("method", TEXT, "", "what was trained"),
    Column("mean", REAL, "of the metric", "mean over seeds"),
    Column("sd", REAL, "of the metric", "standard deviation over seeds; empty with one seed"), *ENDS, *COUNTS,
]
# A row for each metric and pair of methods: metrics/verdicts.csv.
VERDICTS = [
    *METRIC, Column("method", TEXT, "", "first method"), Column("other", TEXT, "", "second method"),
    Column("difference", REAL, "of the metric", "first minus second"),
    Column("low", REAL, "of the metric", "low end of the interval, which holds for its family together"),
    Column("high", REAL, "of the metric", "high end of the interval, which holds for its family together"),
    Column("p", REAL, "", "p-value of the pair alone"),
    Column("p_adjusted", REAL, "", "p-value after the correction over its family"),
    Column("margin", REAL, "of the metric", "largest difference that does not matter, if declared"),
    Column("verdict", TEXT, "", "of the first: better, worse, equivalent or undecided; of runs: see `about`"),
    Column("within_margin", TEXT, "", "whether the interval lies within it: yes or no"),
    Column("about", TEXT, "", "methods, or runs: these trained models alone"),
    Column("family", TEXT, "", "declared in `claims`, interim (fewer seeds than declared), or exploratory"),
    *COUNTS,
]
# A row for each run's task and method, attribution, and what it is compared with: metrics/attention.csv.
ATTENTION = [
    Column("task", TEXT, "", "caption or vqa"), Column("method", TEXT, "", "what was trained"),
    Column("attribution", TEXT, "", "attention or gradient (times input)"),
    Column("against", TEXT, "", "image tokens masked for comparison: random ones, the lowest ranked, or "
           "those that attention in another image ranks highest (elsewhere)"),
    Column("highest", REAL, "nats", "mean drop of a token's log-probability without the highest ranked"),
    Column("other", REAL, "nats", "mean drop without those of the comparison"),
    Column("difference", REAL, "nats", "highest minus other"),
    Column("low", REAL, "nats", "low end of the interval of the difference over images"),
    Column("high", REAL, "nats", "high end of the interval"),
    Column("verdict", TEXT, "", "more or less, if the interval is without 0, else not shown"), *COUNTS,
]
# A row for each task and method: metrics/forgetting.csv.
FORGETTING = [
    Column("task", TEXT, "", "caption or vqa"), Column("method", TEXT, "", "what was trained"),
    Column("nats", REAL, "nats per token", "divergence from the base, KL(base || tuned), without an image"),
    Column("low", REAL, "nats per token", "low end of the interval over texts"),
    Column("high", REAL, "nats per token", "high end of the interval over texts"),
    COUNTS[0], Column("texts", WHOLE, "", "that the base wrote"),
]
# A row for each task and method: metrics/storage.csv.
STORAGE = [
    *FORGETTING[:2], Column("base_bytes", WHOLE, "bytes", "of the base decoder's weights"),
    Column("method_bytes", WHOLE, "bytes", "of the method's files for a task, with the projector"),
    Column("tasks_1_bytes", WHOLE, "bytes", "to keep for one task: the base and the files"),
    Column("tasks_10_bytes", WHOLE, "bytes", "to keep for ten tasks: the base once, the files ten times"),
]
# A row for each run: metrics/speed.csv.
SPEED = [
    *RUN, Column("texts", WHOLE, "", "captions or answers that were generated"),
    Column("attached_per_second", REAL, "1/s", "of them, with the method's modules attached"),
    Column("merged_per_second", REAL, "1/s", "merged into the decoder; empty if that is not possible"),
]
# A row for each metric and method, then one for each pair: `vltune compare --format csv`.
BOTH = [*METHODS[:2], *VERDICTS[2:4], *METHODS[3:5], *VERDICTS[4:]]
# A row for each step: plots/curves/METHOD/TASK-SEED.tsv.
CURVE = [
    Column("step", WHOLE, "", "of the training, from 1"),
    Column("loss", REAL, "nats per token", "of the step's batch"),
    Column("val_loss", REAL, "nats per token", "on the validation split; empty where it was not measured"),
]
# A row for each point that is drawn: plots/curves_TASK.json, where `loss` is a moving mean.
LOSSES = [*RUN, *CURVE]
# A row for each method and type of question: plots/question_types.json.
QUESTION_TYPES = [
    Column("task", TEXT, "", "vqa"), Column("method", TEXT, "", "what was trained, or the control"),
    Column("question_type", TEXT, "", "of the data set"), Column("questions", WHOLE, "", "of this type"),
    Column("accuracy", REAL, "", "mean over seeds"),
    Column("blind", REAL, "", "accuracy with another image's features"),
]
# A row for each trial of a search; the searched values stand between `trial` and `steps`: results/search.csv.
TRIAL = [Column("method", TEXT, "", "what was trained"), Column("task", TEXT, "", "caption or vqa"),
         Column("trial", WHOLE, "", "number of the trial, from 0")]
TRIAL_RESULT = [
    Column("steps", WHOLE, "", "of the training"),
    Column("seed", WHOLE, "", "of the training and of the sequence of values"),
    Column("val_loss", REAL, "nats per token", "lowest on the validation split"),
    Column("seconds", REAL, "s", "wall-clock time of the training"),
    Column("note", TEXT, "", "'diverged', or empty"),
    Column("conditions", TEXT, "", "hash of everything that trials must share to be comparable"),
]
# A row for each method, task and number of trials: what plots/tuning.png draws.
EXPECTED = [
    Column("task", TEXT, "", "caption or vqa"), Column("method", TEXT, "", "what was trained"),
    Column("k", WHOLE, "", "number of trials"),
    Column("val_loss", REAL, "nats per token", "expected lowest validation loss of k trials"),
]


def quality(metric: str) -> list[Column]:
    """Give the columns of plots/quality_TASK.json, whose
    main metric has its own name: a row for each method."""
    return [
        Column("task", TEXT, "", "caption or vqa"),
        Column("method", TEXT, "", "what was trained"),
        Column("seeds", WHOLE, "", "of the method"),
        Column(metric, REAL, "", "mean over seeds"),
        *ENDS,
        Column("blind", REAL, "of the metric", "with another image's features"),
        SIZES[0],
        Column("trained_percent", REAL, "%", "of the decoder's parameters that are trained"),
        Column(
            "shown_percent", REAL, "%",
            "the same where a log axis can draw it: 0 is a decade below the others",
        ),
    ]


def names(columns: Sequence[Column]) -> list[str]:
    """Give the names of columns, in their order."""
    return [column.name for column in columns]


def frame(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Build a table of these columns; a value that a row lacks is missing."""
    table = pd.DataFrame(list(rows), columns=names(columns), dtype=object)
    return table.astype({column.name: column.dtype for column in columns})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows of a table as dictionaries, with None for a missing value, as JSON holds them."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def read(path: Path, columns: Sequence[Column], separator: str = ",") -> pd.DataFrame:
    """Read a table that has these columns; further columns
    hold real numbers. An empty cell is a missing value.

    Raises:
        InputError: the file is no table, a column is missing, or
            a cell is no number; names the row and the column.
    """
    try:
        table = pd.read_csv(path, sep=separator, dtype=TEXT, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a table with a row of names first: {error}") from None
    missing = [name for name in names(columns) if name not in table]
    if missing:
        raise InputError(f"{path}: has no column '{missing[0]}'; its columns are {', '.join(table)}")
    dtypes = {column.name: column.dtype for column in columns}
    return pd.DataFrame({name: _typed(path, table[name], dtypes.get(name, REAL)) for name in table})


def _typed(path: Path, cells: pd.Series, dtype: str) -> pd.Series:
    """Read the cells of a column; Python's `float` gives
    the nearest number to a text, pandas' parser may not."""
    if dtype == TEXT:
        return cells
    numbers = []
    for row, cell in enumerate(cells, 1):
        try:
            number = None if pd.isna(cell) else float(cell)
            numbers.append(number if number is None or dtype == REAL else int(cell))
        except ValueError:
            wanted = "expected numbers" if dtype == REAL else "expected whole numbers"
            raise InputError(
                f"{path}: row {row}: {wanted} in the column '{cells.name}', found {cell!r}"
            ) from None
    return pd.Series(numbers, dtype=dtype, name=cells.name)
