"""summary and report: the forms of their files, missing runs, messages, repeatability, and the templates of
the plots."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from markupsafe import Markup

from results import ACCURACY, METHODS, QUESTIONS, SIGNATURE, write_questions_run, write_run
from vltune.comparison import choice as chosen
from vltune.comparison import runs
from vltune.comparison.compare import compare
from vltune.comparison.summary import summarize
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import sha256, write_json
from vltune.pipeline.params import choice
from vltune.report import charts, note, svg, tables, text
from vltune.report.report import report
from vltune.report.style import PALETTE

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / ".dvc/plots"


BOTH = ["caption", "vqa"]


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def hashes() -> dict[str, str]:
    return {
        str(file): sha256(file)
        for folder in ("metrics", "plots", "plots/pictures")
        for file in sorted(Path(folder).glob("*.*"))
    }


def test_summary_has_its_form(workspace: Path) -> None:
    summarize("lora", ["caption"], [0])
    summary = json.loads((workspace / "metrics/summary.json").read_text())
    assert list(summary) == [
        "method",
        "caption",
        "trained_parameters",
        "trained_share",
    ]
    assert list(summary["caption"]) == ["CIDEr", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L"]
    assert summary["method"] == "lora"
    assert summary["caption"]["CIDEr"] == 2.35
    assert summary["trained_parameters"] == 1224087
    cost = json.loads((workspace / "metrics/cost.json").read_text())
    assert cost == {
        "caption": {
            "train_seconds": 100.0,
            "captions_per_second": 36.0,
            "peak_memory_bytes": 2100000000,
            "step_seconds": 0.66,
        },
    }


@pytest.mark.usefixtures("workspace")
def test_summary_is_the_mean_over_seeds() -> None:
    write_run("lora", seed=1, seconds=200.0)
    summarize("lora", ["caption"], [0, 1])
    assert json.loads(Path("metrics/summary.json").read_text())["caption"]["CIDEr"] == pytest.approx(2.355)
    assert json.loads(Path("metrics/cost.json").read_text())["caption"]["train_seconds"] == 150.0


@pytest.mark.usefixtures("workspace")
def test_summary_says_which_run_is_missing() -> None:
    with pytest.raises(
        InputError,
        match=r"data/results/lora/caption-3.json: no such file.*caption-0.json.*stages/evaluate.py",
    ):
        summarize("lora", ["caption"], [3])
    paths.resources("lora", "caption", 0).unlink()
    with pytest.raises(
        InputError, match=r"data/resources/lora/caption-0.json: no such file; make it with stages/train.py"
    ):
        summarize("lora", ["caption"], [0])


def test_an_unknown_method_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("method: lroa\nmethods:\n- adapter\n- lora\n")
    with pytest.raises(
        InputError, match=r"unknown method 'lroa' \(did you mean 'lora'\?\); choose one of adapter, lora"
    ):
        choice("method", chosen.values("methods", path=path), path)


@pytest.mark.parametrize(("text", "message"), [
    ("seeds: 0", "'seeds' must be a list of at least one, all whole numbers; found 0"),
    ("seeds: []", "'seeds' must be a list"),
    ("seeds: [one]", r"all whole numbers; found \['one'\]"),
    ("seeds: [true]", r"all whole numbers; found \[True\]"),
    ("seed: [0]", "'seeds' must be a list of at least one, all whole numbers; found None"),
    ("seeds: [1, 1]", r"'seeds' holds something twice: \[1, 1\]"),
])
def test_lists_are_checked(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=message):
        chosen.values("seeds", int, path)


@pytest.mark.usefixtures("workspace", "undrawn")
def test_tables_have_their_forms() -> None:
    assert report(METHODS, ["caption"], [0]) == []
    comparison = rows("metrics/comparison.csv")
    wanted = (
        "task,method,seed,CIDEr,CIDEr_low,CIDEr_high,BLEU-4,METEOR,ROUGE-L,trained_parameters,trained_share,"
        "projector_parameters,checkpoint_bytes,distinct-1,novel_share"
    ).split(",")
    assert set(wanted) <= set(comparison[0])
    assert [row["method"] for row in comparison] == [*METHODS, paths.START]
    assert (comparison[1]["CIDEr"], comparison[1]["task"], comparison[1]["seed"]) == ("2.35", "caption", "0")
    resources = rows("metrics/resources.csv")
    assert list(
        resources[0]
    ) == "task,method,seed,train_seconds,captions_per_second,peak_memory_bytes,step_seconds".split(",")
    assert [row["method"] for row in resources] == METHODS
    text = Path("metrics/comparison.md").read_text()
    assert re.search(
        r"\| lora \| 1,224,087 \| 0\.91 %"
        r" \| 1\.08 % \| 2\.350 \(2\.\d{3} to 2\.\d{3}\) \|", text)
    assert "100.0" not in text


@pytest.mark.usefixtures("workspace")
def test_everything_but_the_timings_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "chart", lambda *_: Markup())  # test_page.py has a test of it
    two = ["lora", "full"]
    report(two, ["caption"], [0])
    first = hashes()
    assert len(first) == 21 + 12
    for method in two:
        write_run(method, seconds=123.0)
    report(two, ["caption"], [0])
    assert {name for name, value in hashes().items() if value != first[name]} == {
        "metrics/resources.csv", "plots/report.html"}


@pytest.mark.usefixtures("workspace", "undrawn")
def test_missing_runs_are_left_out_and_named() -> None:
    paths.result("prefix", "caption", 0).unlink()
    assert report(METHODS, ["caption"], [0]) == ["data/results/prefix/caption-0.json"]
    assert "prefix" not in {row["method"] for row in rows("metrics/comparison.csv")}
    text = Path("metrics/comparison.md").read_text()
    assert "Missing runs, left out: `data/results/prefix/caption-0.json`" in text


@pytest.mark.usefixtures("workspace")
def test_only_the_start_is_enough() -> None:
    missing = report(["nothing"], ["caption"], [0])
    assert missing == ["data/results/nothing/caption-0.json"]
    assert json.loads(Path("plots/curves_caption.json").read_text()) == []


def test_no_run_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"nothing to report: none of data/results/lora/caption-0.json, .* exists"
    ):
        report(["lora"], ["caption"], [0])


@pytest.mark.usefixtures("workspace")
def test_results_of_different_signatures_are_not_mixed() -> None:
    write_run("full", signature=SIGNATURE | {"images": 59})
    with pytest.raises(
        InputError, match="'adapter caption 0' and 'full caption 0' cannot be compared: 'images' is 60 and 59"
    ):
        report(METHODS, ["caption"], [0])
    assert not Path("metrics/comparison.csv").exists()


@pytest.mark.usefixtures("workspace")
def test_a_results_file_of_another_run_is_refused() -> None:
    paths.result("full", "caption", 0).write_text(paths.result("lora", "caption", 0).read_text())
    with pytest.raises(
        InputError, match="expected the results of full caption 0, found those of lora caption 0"
    ):
        report(METHODS, ["caption"], [0])


@pytest.mark.usefixtures("workspace")
def test_a_broken_curve_is_named() -> None:
    paths.curve("full", "caption", 0).write_text("step\tcaptions\tloss\tval_loss\n1\t24\tmany\t\n")
    with pytest.raises(
        InputError,
        match=r"plots/curves/full/caption-0.tsv: row 1: expected numbers in the column 'loss', found 'many'",
    ):
        report(METHODS, ["caption"], [0])


@pytest.mark.usefixtures("workspace", "undrawn")
def test_several_seeds_are_one_row_with_mean_and_spread() -> None:
    for method in METHODS:
        write_run(method, seed=1)
    assert report(METHODS, ["caption"], [0, 1]) == []
    assert len(rows("metrics/comparison.csv")) == 11, "a row a run"
    quality = json.loads(Path("plots/quality_caption.json").read_text())
    assert [(row["method"], row["seeds"]) for row in quality] == [
        *((method, 2) for method in METHODS),
        (paths.START, 1),
    ]
    lora = next(
        row for row in rows("metrics/methods.csv") if (row["method"], row["metric"]) == ("lora", "CIDEr")
    )
    assert (float(lora["mean"]), float(lora["sd"]), lora["seeds"]) == (
        pytest.approx(2.355),
        pytest.approx(0.01 / 2**0.5),
        "2",
    )
    assert float(lora["low"]) < 2.355 < float(lora["high"])
    text = Path("metrics/comparison.md").read_text()
    assert "| method | seeds | trained | share | with projector | CIDEr ± sd (interval) |" in text
    assert re.search(
        r"\| lora \| 2 \| 1,224,087 \| 0\.91 %"
        r" \| 1\.08 % \| 2\.355 ± 0\.007 \([\d.]+ to [\d.]+\) \|", text)
    assert re.search(r"\| aligned \| 1 \| 0 \| 0 % \| 0 % \| 0\.310 \([\d.]+ to [\d.]+\) \|", text)
    assert "of a single run, percentile bootstrap over images (n=400, seed 0), about this trained" in text
    assert "Student's t over images, about these trained models. Several seeds" in text


@pytest.mark.usefixtures("workspace")
def test_a_share_of_zero_has_a_place_on_a_logarithmic_axis() -> None:
    quality = tables.quality("CIDEr", compare(runs.collect(METHODS, ["caption"], [0])[0])[0].methods)
    shown = dict(zip(quality["method"], quality["shown_percent"], strict=True))
    assert shown["connector"] == shown[paths.START] == pytest.approx(0.01)
    assert shown["prefix"] == pytest.approx(0.35)
    charts.pareto(Path("plots/some.png"), {"CIDEr": quality[quality["trained_percent"] == 0]})


@pytest.mark.usefixtures("workspace")
def test_curves_are_moving_means_and_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    found = runs.load("lora", "caption", 0)
    records = tables.curves([found])
    assert len(records) == 150
    assert records["loss"][20] == pytest.approx(found.curve["loss"][13:21].mean(), abs=1e-5)
    assert records["step"][records["val_loss"].notna()].tolist() == [75, 150]
    monkeypatch.setattr(tables, "POINTS", 20)
    thinned = tables.curves([found])
    assert len(thinned) <= 23
    assert {75, 150} <= {*thinned["step"]}


@pytest.mark.usefixtures("both")
def test_summary_has_both_tasks() -> None:
    write_questions_run("lora", seed=1)
    write_run("lora", seed=1)
    summarize("lora", BOTH, [0, 1])
    summary = json.loads(Path("metrics/summary.json").read_text())
    assert list(summary) == [
        "method",
        "caption",
        "vqa",
        "trained_parameters",
        "trained_share",
    ]
    assert list(summary["vqa"]) == ["accuracy", "yes/no", "number", "other"]
    assert summary["vqa"]["accuracy"] == pytest.approx(0.8605)
    assert list(json.loads(Path("metrics/cost.json").read_text())) == ["caption", "vqa"]


@pytest.mark.usefixtures("both", "undrawn")
def test_the_table_of_both_tasks_has_each_one_s_columns() -> None:
    assert report(METHODS, BOTH, [0]) == []
    comparison = {(row["task"], row["method"]): row for row in rows("metrics/comparison.csv")}
    assert len(comparison) == 12
    asked, said = comparison["vqa", "lora"], comparison["caption", "lora"]
    assert {name: asked[name] for name in ("accuracy", "yes/no", "number", "other")} == {
        "accuracy": "0.86", "yes/no": "0.903", "number": "0.688", "other": "0.8772"}
    assert (asked["blind_accuracy"], asked["mean_image_accuracy"], asked["most_frequent_accuracy"]) == (
        "0.407",
        "0.364",
        "0.37",
    )
    assert float(said["blind_CIDEr"]) == pytest.approx(0.2585)
    assert {
        asked[name] for name in ("CIDEr", "CIDEr_low", "METEOR", "blind_CIDEr", "distinct-1", "mean_length")
    } == {""}
    assert {
        said[name]
        for name in (
            "accuracy",
            "accuracy_high",
            "yes/no",
            "other_low",
            "blind_accuracy",
            "most_frequent_accuracy",
        )
    } == {""}
    assert asked["trained_parameters"] == said["trained_parameters"] == "1224087"
    assert [(row["task"], row["method"]) for row in rows("metrics/resources.csv")] == [
        (task, name) for task in BOTH for name in METHODS
    ]


@pytest.mark.usefixtures("both", "undrawn")
def test_a_table_a_task_with_the_controls_in_it() -> None:
    report(METHODS, BOTH, [0])
    text = Path("metrics/comparison.md").read_text()
    first, second = text.split("**vqa**")
    assert (
        "| with projector | CIDEr (interval) | BLEU-4 | METEOR | ROUGE-L | blind CIDEr | distinct-2"
        " | novel captions |"
        in first
    )
    assert "accuracy" not in first
    assert (
        "| method | trained | share | with projector | accuracy (interval) | yes/no | number |"
        " other | blind | mean image |"
        in second
    )
    assert re.search(
        r"\| lora \| 1,224,087 \| 0\.91 % \| 1\.08 % \| 0\.860 \(.+ to .+\) \| 0\.903 \| 0\.688 \|"
        r" 0\.877 \| 0\.407 "
        r"\| 0\.364 \|",
        second,
    )
    assert "answer |  |  |  | 0.370 (0.355 to 0.389) | 0.389 | 0.296 | 0.377 |  |  |" in second
    assert "60 test images with 240 questions" in second
    assert "aligned chooses the likeliest of the most frequent training answers, of 240 questions; " in second
    assert (
        "Highest score of a parameter-efficient run: lora, accuracy 0.860, 97.7 % of that of full "
        "fine-tuning; 45.3 points above the same model blind (0.407). Every type of answer is above the most "
        "frequent answer."
    ) in second


@pytest.mark.usefixtures("both", "undrawn")
def test_the_small_result_table_has_a_row_for_each_task_and_method() -> None:
    report(METHODS, BOTH, [0])
    head, rule, *lines = Path("metrics/readme.md").read_text().splitlines()
    assert head == (
        "| task | method | trained | with projector | score (95 % interval) | blind | against full |")
    assert rule == "| --- | --- | ---: | ---: | ---: | ---: | --- |"
    assert len(lines) == 12
    assert re.fullmatch(
        r"\| caption \(CIDEr\) \| lora \| 0\.91 % \| 1\.08 % \| 2\.350 \(.+ to .+\) \| 0\.259 \|"
        r" run worse \|",
        lines[1],
    )
    assert re.fullmatch(
        r"\| vqa \(accuracy\) \| full \| 100 % \| 100 % \| 0\.880 \(.+ to .+\) \| 0\.416 \|  \|", lines[9]
    )
    missing = [method for method in METHODS if method != "full"]
    report(missing, ["caption"], [0])
    text = Path("metrics/readme.md").read_text()
    assert "| against lora |" in text
    assert re.search(r"\| connector \| .* \| run worse \|", text)
    report(["lora"], ["caption"], [0])
    assert "worse" not in Path("metrics/readme.md").read_text(), "no pair, no verdict"


@pytest.mark.usefixtures("both")
def test_a_type_of_answer_that_is_not_above_the_most_frequent_answer_is_named() -> None:
    found = compare(runs.collect(METHODS, ["vqa"], [0])[0])[0].methods
    best = next(one for one in found if one.method == "lora")
    best.result["metrics"]["number"]["value"] = 0.2
    best.result["metrics"]["other"]["value"] = best.result["controls"]["most_frequent"]["other"]["value"]
    assert text.best_against_controls(found).endswith("Not above the most frequent answer: number, other.")
    without_full = [one for one in found if one.method != "full"]
    assert "lora, accuracy 0.860; 45.3 points above" in text.best_against_controls(without_full)
    assert text.best_against_controls([one for one in found if not one.result["trained_parameters"]]) == ""


@pytest.mark.usefixtures("both", "undrawn")
@pytest.mark.parametrize(
    ("task", "other", "metric"), [("caption", "vqa", "CIDEr"), ("vqa", "caption", "accuracy")]
)
def test_one_task_alone(task: str, other: str, metric: str) -> None:
    assert report(METHODS, [task], [0]) == []
    assert {row["task"] for row in rows("metrics/comparison.csv")} == {task}
    assert json.loads(Path(f"plots/quality_{other}.json").read_text()) == []
    quality = json.loads(Path(f"plots/quality_{task}.json").read_text())
    assert [row["method"] for row in quality] == [*METHODS, paths.START]
    assert list(quality[0]) == [
        "task",
        "method",
        "seeds",
        metric,
        "low",
        "high",
        "blind",
        "trained_parameters",
        "trained_percent",
        "shown_percent",
    ]


@pytest.mark.usefixtures("both", "undrawn")
def test_missing_runs_of_one_task_are_named() -> None:
    paths.result("lora", "vqa", 0).unlink()
    paths.predictions("full", "vqa", 0).unlink()
    assert report(METHODS, BOTH, [0]) == ["data/results/lora/vqa-0.json"]
    text = Path("metrics/comparison.md").read_text()
    assert "Highest score of a parameter-efficient run: adapter" in text
    assert "Missing runs, left out: `data/results/lora/vqa-0.json`." in text
    for method in ACCURACY:
        paths.result(method, "vqa", 0).unlink(missing_ok=True)
    assert len(report(METHODS, BOTH, [0])) == 6
    assert "**vqa**" not in Path("metrics/comparison.md").read_text()


@pytest.mark.usefixtures("both", "undrawn")
def test_a_kind_of_answer_that_no_question_has_is_left_out() -> None:
    for method in ACCURACY:
        content = json.loads(paths.result(method, "vqa", 0).read_text())
        for scores in (content["metrics"], *content["controls"].values()):
            del scores["number"]
        write_json(paths.result(method, "vqa", 0), content)
    report(METHODS, ["vqa"], [0])
    assert "| accuracy (interval) | yes/no | other | blind |" in Path("metrics/comparison.md").read_text()
    assert rows("metrics/comparison.csv")[0]["number"] == ""
    summarize("lora", ["vqa"], [0])
    assert list(json.loads(Path("metrics/summary.json").read_text())["vqa"]) == [
        "accuracy",
        "yes/no",
        "other",
    ]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("task", "keys", "message"),
    [
        ("caption", ("controls",), "has no 'controls'"),
        ("caption", ("controls", "other_image", "CIDEr"), r"controls.other_image\[0\] has no 'CIDEr'"),
        ("caption", ("diversity", "vocabulary"), "has no 'vocabulary'"),
        ("caption", ("metrics", "METEOR"), "has no 'METEOR'"),
        ("vqa", ("metrics", "accuracy"), r"metrics\[0\] has no 'accuracy'"),
        ("vqa", ("metrics", "number", "low"), r"metrics.number\[0\] has no 'low'"),
        ("vqa", ("controls", "mean_image"), "has no 'mean_image'"),
        ("vqa", ("controls", "most_frequent", "number"), r"controls.most_frequent\[0\] has no 'number'"),
        ("vqa", ("question_types",), "has no 'question_types'"),
        (
            "vqa",
            ("control_question_types", "other_image", "count"),
            r"control_question_types.other_image\[0\] has no 'count'",
        ),
    ],
)
def test_a_score_that_is_missing_is_named(task: str, keys: tuple[str, ...], message: str) -> None:
    path = paths.result("prefix", task, 0)
    content = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    del place[keys[-1]]
    write_json(path, content)
    with pytest.raises(InputError, match=f"{path}: .*{message}"):
        report(METHODS, BOTH, [0])


@pytest.mark.parametrize("name", ["curves", "bars", "pareto", "types"])
def test_a_template_is_json_with_its_anchors(name: str) -> None:
    text = (TEMPLATES / f"{name}.json").read_text()
    content = json.loads(text)
    assert content["data"] == {"name": "all", "values": "<DVC_METRIC_DATA>"}
    for anchor in ("TITLE", "X", "Y", "X_LABEL"):
        assert f"<DVC_METRIC_{anchor}>" in text
    assert content["config"]["range"]["category"] == list(PALETTE)
    assert ('"field": "blind"' in text) == (name == "bars")


@pytest.mark.usefixtures("both", "undrawn")
def test_dvc_plots_has_a_row_for_each_method_and_question_type() -> None:
    report(METHODS, BOTH, [0])
    table = json.loads(Path("plots/question_types.json").read_text())
    result = json.loads(paths.result("lora", "vqa", 0).read_text())
    shown = {row["question_type"]: row for row in table if row["method"] == "lora"}
    assert {name: row["accuracy"] for name, row in shown.items()} == {
        name: score["value"] for name, score in result["question_types"].items()}
    controls = result["control_question_types"]
    assert {name: row["blind"] for name, row in shown.items()} == {
        name: controls["other_image"][name]["value"] for name in shown}
    assert {row["accuracy"] for row in table if row["method"] == "most frequent answer"} == {
        score["value"] for score in controls["most_frequent"].values()}
    for task in BOTH:
        curves = json.loads(Path(f"plots/curves_{task}.json").read_text())
        assert {row["task"] for row in curves} == {task}


def test_the_page_of_dvc_plots_needs_no_network() -> None:
    text = (TEMPLATES / "offline.html").read_text()
    assert text.count("{plot_divs}") == 1
    assert not re.search(r"<(script|link)\s", text)
    assert text.count("<script>") == text.count("</script>") == 4
    assert (TEMPLATES / "offline.html").stat().st_size < 1_000_000
    assert (TEMPLATES / "LICENSES.txt").read_text().count(
        "Redistribution and use in source and binary forms"
    ) == 3


def test_the_note_says_what_starts_from_captions() -> None:
    projector = {"kind": "words", "start": "ridge", "texts": "captions"}
    assert note.start(projector) == (
        " Trainings start from a projector that mixes words, fitted to the training captions in closed form.")
    questions = note.start(projector | {"kind": "linear", "texts": "questions"})
    assert "a projector that is linear, fitted to the training questions in closed form" in questions
    drawn = note.start(projector | {"start": "random"})
    assert drawn.endswith("mixes words, drawn at random with the words of the training captions.")
    drawn = note.start({"kind": "mlp", "start": "random", "texts": None})
    assert drawn.endswith("that is an MLP, drawn at random.")
    assert note.start(None) == ""


def test_the_note_says_what_is_special_about_the_test_set(
    both: Path,  # noqa: ARG001 - it writes the runs
) -> None:
    def shown() -> str:
        return note.note(compare(runs.collect(METHODS, ["vqa"], [0])[0])[0])

    usual = shown()
    assert usual.endswith("that mixes words, fitted to the training captions in closed form.")
    special = {"exact_match": QUESTIONS["questions"], "shared_images": 7}
    for method in ACCURACY:
        write_questions_run(method, signature=QUESTIONS | special)
    added = note.exceptions(QUESTIONS | special)
    assert "Every question has a single answer: the accuracy is exact match after normalisation" in added
    assert "7 of the 60 test images are training images too, with other texts" in added
    assert shown().replace(added, "") == usual
