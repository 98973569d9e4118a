"""What a table says, in words: how its numbers were made, and what they decide."""

from __future__ import annotations

from vltune import layout
from vltune.report.runs import Run
from vltune.report.tables import labels, percent


def note(runs: list[Run]) -> str:
    """Say what the numbers of one task mean: images, interval, controls, connector."""
    signature = runs[0].result["signature"]
    sizes = sorted({run.result["connector_parameters"] for run in runs})
    questions = f" with {signature['questions']:,} questions" if "questions" in signature else ""
    return (f"{signature.get('images', '?')} test images{questions}; interval: {signature.get('interval', 'not recorded')}. "
            f"{runs[0].kind.explained} Trained and share count the decoder's parameters; the connector "
            f"({' or '.join(f'{size:,}' for size in sizes)} parameters) is counted apart.")


def verdict(runs: list[Run]) -> str:
    """Say what the runs of one task decide; empty if what it takes is not there."""
    return " ".join(filter(None, [clear_of_control(runs), best_against_controls(runs)]))


def clear_of_control(runs: list[Run]) -> str:
    """Say which runs' intervals lie above the control's, the run that trains nothing of the decoder; empty without one."""
    names = labels(runs)
    trained = [run for run in runs if run.method != layout.START]
    controls = [run for run in trained if not run.result["trained_parameters"]]
    others = [run for run in trained if run.result["trained_parameters"]]
    if not controls or not others:
        return ""
    bar = max(run.main["high"] for run in controls)
    listed: dict[bool, list[str]] = {True: [], False: []}
    for run in others:
        listed[run.main["low"] > bar].append(names[run.task, run.method, run.seed])
    control = ", ".join(names[run.task, run.method, run.seed] for run in controls)
    metric = controls[0].kind.main
    clear = f"{metric[0].upper()}{metric[1:]} interval wholly above that of the control ({control}): {', '.join(listed[True]) or 'none'}."
    return clear + (f" Not so: {', '.join(listed[False])}." if listed[False] else "")


def best_against_controls(runs: list[Run]) -> str:
    """Say how far the best run that trains a part of the decoder is above its blind self, and where it is not above the floor.

    Empty for a task whose metric is no share of right answers, and where no such run is there.
    """
    floor, partly = runs[0].kind.floor, [run for run in runs if 0 < run.result["trained_share"] < 1]
    if floor is None or not partly:
        return ""
    best = max(partly, key=lambda run: run.main["value"])
    value, blind, metric = best.main["value"], best.blind["value"], best.kind.main
    whole = [run.main["value"] for run in runs if run.result["trained_share"] >= 1 and run.main["value"] > 0]
    against = f", {percent(value / max(whole))} of that of training everything" if whole else ""
    below = [name for name in best.scores if best.scores[name]["value"] <= best.control(floor)[name]["value"]]
    return (f"Best parameter-efficient run: {labels(runs)[best.task, best.method, best.seed]}, {metric} {value:.3f}{against}; "
            f"{100 * (value - blind):.1f} points above the same model blind ({blind:.3f}). "
            + (f"Not above the {floor.label}: {', '.join(below)}." if below
               else f"Every type of answer is above the {floor.label}."))
