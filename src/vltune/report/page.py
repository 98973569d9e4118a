"""plots/report.html: everything in one file that opens without a network.

Every number repeats bit for bit but those of time and memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import yaml
from markupsafe import Markup
from pydantic import Field

from vltune.comparison.afterwards import Afterwards
from vltune.comparison.compare import Comparison
from vltune.comparison.runs import Run
from vltune.pipeline import paths
from vltune.pipeline.files import write_text
from vltune.pipeline.params import Section
from vltune.report import (
    afterwards,
    cards,
    costs,
    faithfulness,
    gallery,
    page_charts,
    page_tables,
    provenance,
    tables,
    text,
)
from vltune.report.answer import answer
from vltune.report.charts import by_task
from vltune.report.meaning import meaning, scope
from vltune.report.note import note
from vltune.report.style import colours, marks
from vltune.report.template import render
from vltune.report.text import TITLES

FOLDER = Path(__file__).with_name("template")
NARROW_SPACE = "\u202f"  # without a line break
GALLERY = "<!-- gallery -->"  # where the cards go, once it is known how many fit
MILLION = 1_000_000


class Report(Section):
    """Section `report`: the size of the page."""

    max_megabytes: Annotated[float, Field(ge=0.5, le=15)]


@dataclass(frozen=True)
class Content:
    """What the page shows: runs, their comparison by task, the summaries of the search, results files that
    are missing, the rows of the check of attention with its picture, the sections of params.yaml, and what
    the runs cost after their training."""

    runs: list[Run]
    comparisons: list[Comparison]
    trials: list[dict[str, Any]]
    missing: list[str]
    attention: list[dict[str, Any]]
    picture: Path
    settings: dict[str, Any]
    afterwards: list[Afterwards] = field(default_factory=list)


def write(path: Path, content: Content, limit: Report) -> None:
    """Write the page. The gallery gets the images that fit into the size.

    Raises:
        InputError: a predictions file is of the wrong form.
    """
    images = cards.cards(content.runs)
    page = render(
        FOLDER / "page.html", **_results(content), missing=content.missing, gallery=Markup(GALLERY),
        images=len(images), licence=gallery.licence(), start=paths.START, methods=_methods(content.runs),
        provenance=provenance.tables(content.runs, content.settings), settings=_yaml(content.settings),
        attention=_attention(content), megabytes=limit.max_megabytes,
    )
    room = int(limit.max_megabytes * MILLION) - len(page.encode())
    shown = cards.fitting(images, _card, room)
    write_text(path, page.replace(GALLERY, "".join(shown)))


def _results(content: Content) -> dict[str, Any]:
    """Give the parts about the tasks. The page leads with `leads`: a further comparison that should stand
    above the own one is put before it there."""
    measured = {task: costs.table(comparison, [run for run in content.runs if run.task == task])
                for comparison in content.comparisons for task in [comparison.first.task]}
    everything = pd.concat(measured.values())
    look = colours(everything), marks(everything)
    curves, expected = tables.curves(content.runs), tables.tuning(content.trials)
    losses = [(TITLES.get(name, name), page_charts.losses(name, table, look))
              for name, table in by_task(curves).items()]
    tuning = [(TITLES.get(name, name), page_charts.tuning(name, table, (colours(expected), marks(expected))))
              for name, table in by_task(expected).items()]
    return {
        "leads": [_lead("", content.comparisons, measured, look)],
        "tasks": [_task(comparison, measured[comparison.first.task], look)
                  | {"afterwards": afterwards.page(content.afterwards, comparison.first.task)}
                  for comparison in content.comparisons],
        "losses": losses,
        "tuning": {"charts": tuning, "table": page_tables.tuning(content.trials)} if tuning else None,
    }


def _lead(title: str, comparisons: list[Comparison], measured: dict[str, pd.DataFrame],
          look: page_charts.Look) -> dict[str, Any]:
    """Give what a reader sees first: the answer for each task, what its words are about, and the charts."""
    answers = [{
        "title": TITLES.get(task, task), "sentence": answer(comparison).replace(" %", NARROW_SPACE + "%"),
        "chart": page_charts.overview(task, comparison.first.spec.main, measured[task], look[0]),
    } for comparison in comparisons for task in [comparison.first.task]]
    verdicts = [next(iter(comparison.verdicts.values())) for comparison in comparisons if comparison.verdicts]
    return {"title": title, "answers": answers, "about": list(dict.fromkeys(map(scope, verdicts)))}


def _task(comparison: Comparison, measured: pd.DataFrame, look: page_charts.Look) -> dict[str, Any]:
    """Give what the template shows of one task."""
    task, spec, methods = comparison.first.task, comparison.first.spec, comparison.methods
    sentences = [text.in_words(comparison, spec.main), meaning(comparison),
                 text.best_against_controls(methods)]
    return {
        "name": task, "title": TITLES.get(task, task), "metric": spec.main, "note": note(comparison),
        "main": page_tables.main(comparison, measured), "metrics": page_tables.metrics(comparison),
        "groups": page_tables.groups(comparison), "pairs": page_tables.pairs(comparison),
        "sentences": [sentence for sentence in sentences if sentence],
        "costs": page_tables.costs(comparison, measured),
        "cost_charts": page_charts.costs(task, spec.main, measured, look),
        "types": page_tables.types(methods) if spec.baseline else None,
        "types_chart": page_charts.question_types(comparison) if spec.baseline else None,
        "diversity": page_tables.diversity(methods) if spec.diversity else None,
    }


def _attention(content: Content) -> dict[str, Any] | None:
    if not content.attention:
        return None
    return {"table": page_tables.attention(content.attention),
            "verdicts": faithfulness.sentences(content.attention),
            "picture": gallery.address(content.picture.read_bytes(), "png")}


def _card(card: cards.Card) -> str:
    thumbnail = gallery.thumbnail(gallery.FOLDER / card.file_name)
    return render(FOLDER / "card.html", card=card, thumbnail=thumbnail)


def _methods(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(run.method for run in runs))


def _yaml(settings: dict[str, Any]) -> str:
    return yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=100)
