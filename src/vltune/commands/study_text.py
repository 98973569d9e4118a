"""The tables of a study in Markdown: what was run, then for each variant and task the methods, with their
verdicts and costs, and for each method the variants."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import Any

import pandas as pd

from vltune.commands.study_overview import last_fall, overview, plateau
from vltune.commands.study_plan import Planned, Study
from vltune.commands.study_runs import Finished, Runs
from vltune.comparison.compare import Comparison
from vltune.report import tables, text
from vltune.report.note import note

NAMED = 10  # missing runs


def markdown(study: Study, runs: Runs, compared: dict[str, list[Comparison]],
             across: dict[tuple[str, str], Comparison]) -> str:
    """Write the whole page.

    Args: compared, by variant a comparison of the methods for each task; across, by method and task one of
        the variants.
    """
    parts = [*_head(study, runs), *overview(runs, compared)]
    for variant, comparisons in compared.items():
        parts += _variant(study, runs, variant, comparisons)
    for (method, task), comparison in across.items():
        parts += [f"## Variants of {method}, {task}", *_across(comparison)]
    return "\n\n".join(parts) + "\n"


def _head(study: Study, runs: Runs) -> Iterator[str]:
    planned = study.runs()
    missing = [run.name for run in planned if run not in runs.finished and run not in runs.stale]
    yield f"# {study.content.title}"
    yield study.content.source
    yield (f"Made by `vltune study {_file(study)}` from the files in `{_file(study, folder=True)}`: "
           f"{len(runs.finished)} of {len(planned)} runs are finished."
           + (f" Missing: {_names(missing)}." if missing else ""))
    for run, changed in runs.stale.items():
        yield f"Left out, made with other parameters: `{run.name}` ({'; '.join(changed)})."
    yield f"Parameters: {_overrides(study.content.params)}."
    contents = [item.content for item in runs.finished.values()]
    commits = dict.fromkeys(content["commit"][:12] for content in contents)
    machines = dict.fromkeys(_machine(content["environment"]) for content in contents)
    data = dict.fromkeys(str(content["data"]["dataset"]) for content in contents)
    yield (f"Data: {', '.join(data)}. Made at {'commit' if len(commits) == 1 else 'commits'} "
           f"{', '.join(commits)}, on {'; '.join(filter(None, machines)) or 'an unknown processor'}.")


def _file(study: Study, folder: bool = False) -> str:
    return f"results/runs/{study.name}" if folder else f"results/{study.name}{study.file.suffix}"


def _names(names: list[str]) -> str:
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:NAMED]) + rest


def _overrides(overrides: dict[str, Any]) -> str:
    listed = ", ".join(f"`{key}: {_value(value)}`" for key, value in overrides.items())
    return listed or "those of params.yaml"


def _value(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _machine(environment: dict[str, Any]) -> str:
    if not environment:
        return ""
    device = "" if environment["device"] == "cpu" else f", {environment['device']}"
    threads = "1 thread" if environment["threads"] == 1 else f"{environment['threads']} threads"
    return f"{environment['cpu']}, {threads}{device}"


def _variant(study: Study, runs: Runs, variant: str, comparisons: list[Comparison]) -> Iterator[str]:
    if len(study.content.variants) > 1:
        yield f"## Variant {variant}"
        own = study.content.variants[variant].params
        yield f"Parameters: {_overrides(own) if own else 'as above'}."
    for comparison in comparisons:
        yield text.markdown([comparison], []).rstrip()
        if "question_types" in comparison.first.spec.parts:
            yield text.markdown_table(_types(comparison))
        yield text.markdown_table(_costs(study, runs, variant, comparison))


def _across(comparison: Comparison) -> Iterator[str]:
    """Give the tables of `text.markdown` where variants take the part of methods."""
    names, renamed = text.shown(comparison), {"method": "variant"}
    yield "Each variant takes the part of a method, so what is said of methods is about variants here."
    yield text.markdown_table(text.quality(comparison, names).rename(columns=renamed))
    yield note(comparison)
    pairs = text.pairs(comparison, names)
    if len(pairs):
        yield text.markdown_table(pairs.rename(columns=renamed))
        yield text.in_words(comparison, names[0])
        yield text.meaning(comparison)


def _types(comparison: Comparison) -> pd.DataFrame:
    """Give the main metric by type of question, in parentheses that of the blind model."""
    spec, rows = comparison.first.spec, []
    for name, first in comparison.first.result["question_types"].items():
        row = {"question type": name, "questions": f"{first['questions']:,}"}
        for method in comparison.methods:
            blind = method.result["control_question_types"][spec.blind[0].name].get(name)
            own = method.result["question_types"].get(name)
            row[method.method] = (f"{own['value']:.3f}" if own else "not asked") + (
                f" ({blind['value']:.3f})" if blind else "")
        if spec.baseline:
            common = method.result["control_question_types"][spec.baseline.name][name]
            row[spec.baseline.label] = f"{common['value']:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _costs(study: Study, runs: Runs, variant: str, comparison: Comparison) -> pd.DataFrame:
    """Give what the runs of a comparison cost, and whether they were trained to the end."""
    rows = []
    for method in comparison.methods:
        items = of_method(runs, variant, method.method, method.task)
        trained = [item for item in items if item.trained]
        row = {"method": method.method, "runs": f"{len(items)} of {planned(study, items[0].planned)}"}
        if trained:
            falls = [fall for item in trained if (fall := last_fall(item.content)) is not None]
            row |= {
                "steps": f"{fmean(item.content['training']['steps'] for item in trained):.0f}",
                "kept step": f"{fmean(item.content['training']['kept_step'] for item in trained):.0f}",
                "val loss": f"{mean(trained, 'val_loss'):.3f}",
                "fall in the last quarter": tables.percent(fmean(falls)) if falls else "",
                "at the plateau": plateau([item.content for item in trained]),
                "minutes of training": f"{fmean(item.train_seconds for item in trained) / 60:.1f}",
                "peak memory (GB)": f"{max(item.peak_gigabytes for item in trained):.1f}",
            }
        rows.append(row | {"minutes in all": f"{fmean(item.seconds for item in items) / 60:.1f}"})
    return pd.DataFrame(rows).fillna("")


def mean(items: list[Finished], name: str) -> float:
    """Average what the trainings of runs say under a name."""
    return fmean(item.content["training"][name] for item in items)


def of_method(runs: Runs, variant: str, method: str, task: str) -> list[Finished]:
    """Give the finished runs of a method, one for each seed."""
    return [item for run, item in runs.finished.items() if run[:3] == (variant, method, task)]


def planned(study: Study, run: Planned) -> int:
    """Count the seeds that there should be of a run's variant, method and task."""
    return sum(other[:3] == run[:3] for other in study.runs())
