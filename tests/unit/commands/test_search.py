"""The search: equal for all methods, kept trial by trial, nothing of the pipeline touched."""

from __future__ import annotations

import itertools
import re
import shutil
import statistics
from pathlib import Path

import pytest

import trainable
from contracts.graph import ROOT
from vltune.commands import search
from vltune.commands import search as command
from vltune.comparison.trials import best_of_k, read_trials
from vltune.methods import interface
from vltune.pipeline.errors import Diverged, InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import read
from vltune.training.align import write_start

TABLE = Path("results/search.csv")


@pytest.mark.parametrize("losses", [[3.0], [2.0, 1.0], [4.0, 1.5, 1.5, 9.0]])
def test_best_of_k_is_the_mean_of_all_draws(losses: list[float]) -> None:
    expected = [
        statistics.mean(min(draw) for draw in itertools.product(losses, repeat=k))
        for k in range(1, len(losses) + 1)
    ]
    assert best_of_k(losses) == pytest.approx(expected)


def test_every_method_is_searched_over_the_same_factor() -> None:
    factors = {
        round(one.high / one.low, 9)
        for name in interface.names()
        for one in interface.searchable(interface.method(name)).values()
    }
    assert factors == {100}
    assert all(
        set(interface.searchable(interface.method(name))) <= set(read(ROOT / "params.yaml")[name])
        for name in interface.names()
    )
    assert all(
        "learning_rate" in interface.searchable(interface.method(name))
        for name in interface.names()
        if name != "connector"
    )


def test_draws_lie_in_their_ranges_at_the_same_place_and_depend_on_the_number_alone() -> None:
    first, again = ([search.draw("lora", trial, 0) for trial in range(40)] for _ in range(2))
    assert first == again
    assert len({one["learning_rate"] for one in first}) == 40
    for name, where in interface.searchable(interface.method("lora")).items():
        values = sorted(one[name] for one in first)
        assert where.low <= values[0] < 3 * where.low
        assert where.high / 3 < values[-1] <= where.high
    full = [search.draw("full", trial, 0) for trial in range(40)]
    lowest = [interface.searchable(interface.method(name))["learning_rate"].low for name in ("lora", "full")]
    ratio = lowest[0] / lowest[1]
    ratios = [one["learning_rate"] / other["learning_rate"] for one, other in zip(first, full, strict=True)]
    assert ratios == pytest.approx([ratio] * 40, rel=0.01)
    assert search.draw("lora", 0, 1) != first[0]


@pytest.fixture
def project(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    return tmp_path


def run(trials: int, *methods: str, steps: int = 2, seed: int = 9, write: bool = False) -> list[dict]:
    command.main("caption", trials, steps, list(methods), seed, TABLE, write)
    return read_trials(TABLE)


def files(root: Path) -> dict[Path, float]:
    return {
        file: file.stat().st_mtime_ns
        for file in root.rglob("*")
        if file.is_file() and "results" not in file.parts
    }


def test_trials_are_equal_recorded_and_leave_the_pipeline_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(project)
    rows = run(2, "lora", "connector")
    assert [(row["trial"], row["method"]) for row in rows] == [
        (0, "lora"), (0, "connector"), (1, "lora"), (1, "connector"),
    ]
    assert files(project) == before
    header = TABLE.read_text().splitlines()[0]
    assert header.split(",") == [
        "method", "task", "trial", "learning_rate", "projector_learning_rate", "steps", "seed", "val_loss",
        "seconds", "note", "conditions",
    ]
    assert "learning_rate" not in rows[1]
    for row in rows:
        assert search.draw(row["method"], row["trial"], 9).items() <= row.items()
        assert row["val_loss"] > 0
        assert row["steps"] == 2
    best = read_json(TABLE.with_suffix(".json"))
    assert [one["method"] for one in best] == ["lora", "connector"]
    losses = [row["val_loss"] for row in rows if row["method"] == "lora"]
    assert best[0]["val_loss"] == min(losses)
    assert best[0]["best_of_k"] == pytest.approx(best_of_k(losses), abs=1e-6)
    assert best[0]["trials"] == 2
    assert '"val_loss"' in capsys.readouterr().out


def test_finished_trials_are_not_repeated_and_more_are_added(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project
    attempted = []
    attempt = search.attempt
    monkeypatch.setattr(
        search, "attempt", lambda method, *given: attempted.append(method) or attempt(method, *given)
    )
    first = run(1, "lora")
    assert run(1, "lora") == first
    assert attempted == ["lora"]
    assert run(2, "lora", "adapter")[:1] == first
    assert attempted == ["lora", "adapter", "lora", "adapter"]
    run(3, "lora")
    assert {one["method"]: one["trials"] for one in read_json(TABLE.with_suffix(".json"))} == {
        "lora": 2, "adapter": 2,
    }


def test_ctrl_c_keeps_what_is_done(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project
    attempt = search.attempt

    def stopped(method: str, *given: object) -> dict:
        if method == "adapter":
            raise KeyboardInterrupt
        return attempt(method, *given)

    monkeypatch.setattr(search, "attempt", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(1, "lora", "adapter")
    assert [row["method"] for row in read_trials(TABLE)] == ["lora"]


def test_the_best_goes_into_params_and_nothing_else_changes(project: Path) -> None:
    # what no trial has
    text = re.sub(r"((caption|vqa): )0\.0*[1-9]\d*", r"\g<1>0.001", Path("params.yaml").read_text())
    Path("params.yaml").write_text(text)
    before = text.splitlines()
    run(2, "lora", write=True)
    after = Path("params.yaml").read_text().splitlines()
    changed = [new.split(":")[0].strip() for old, new in zip(before, after, strict=True) if old != new]
    assert sorted(changed) == ["learning_rate", "projector_learning_rate"]
    assert project
    best = read_json(TABLE.with_suffix(".json"))[0]
    assert {name: read()["lora"][name] for name in best["best"]} == {
        name: {"caption": value, "vqa": 0.001} for name, value in best["best"].items()
    }
    assert best["steps"] == 2
    run(2, "lora")  # the searched values are no condition


def test_rates_for_all_tasks_become_rates_of_each(project: Path) -> None:
    assert project
    run(1, "ia3", write=True)
    assert read()["ia3"]["learning_rate"] == {
        "caption": search.draw("ia3", 0, 9)["learning_rate"], "vqa": 0.01,
    }


def test_a_trial_that_diverges_counts_as_a_guess(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*given: object) -> None:
        (project / ".work/search-lora-caption").mkdir(parents=True)
        raise Diverged(given[0])

    monkeypatch.setattr(search, "train", diverge)
    row = run(1, "lora")[0]
    assert (row["note"], row["val_loss"]) == ("diverged", 5.556828)  # log 259
    with pytest.raises(InputError, match=r"params\.yaml is not changed: every trial of lora has diverged"):
        run(1, "lora", write=True)


def test_trials_of_another_kind_are_not_mixed(project: Path) -> None:
    assert project
    run(1, "lora")
    message = (
        r"results/search\.csv: holds trials of lora caption of 2 steps and seed 9, made with other steps"
    )
    for change in ({"steps": 3}, {"seed": 8}):
        with pytest.raises(InputError, match=message):
            run(1, "lora", **change)
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("  rank: 4 ", "  rank: 2 "))
    with pytest.raises(InputError, match=message):
        run(1, "lora")
    assert len(run(1, "adapter")) == 2


def test_trials_from_another_start_are_not_mixed(project: Path) -> None:
    run(1, "lora")
    write_start("caption", trainable.ALIGN.model_copy(update={"logit_scale": 2.0}), trainable.PROJECTOR)
    assert project
    with pytest.raises(InputError, match=r"holds trials of lora caption of 2 steps"):
        run(2, "lora")


def test_wrong_input_is_named(project: Path) -> None:
    with pytest.raises(InputError, match=r"unknown task 'captoin' \(did you mean 'caption'\?\)"):
        command.main("captoin", 1, 2, ["lora"], 9, TABLE, False)
    with pytest.raises(InputError, match=r"--seed 0 is in 'seeds' of params\.yaml: a reported run"):
        run(1, "lora", seed=0)
    with pytest.raises(InputError, match=r"unknown method 'lroa'"):
        run(1, "lroa")
    TABLE.parent.mkdir()
    TABLE.write_text("method,task\nlora,caption\n")
    with pytest.raises(InputError, match=r"search\.csv: has no column 'trial'; its columns are method, task"):
        run(1, "lora")
    TABLE.unlink()
    shutil.rmtree(project / "models/aligned")
    with pytest.raises(
        InputError, match=r"aligned/caption-0/checkpoint\.json: no such file; make it with `dvc repro align`"
    ):
        run(1, "lora")
