"""Comparisons: methods over seeds, verdicts, their tables and words, what is refused, and `vltune
compare`."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command import vltune
from results import QUESTIONS, SETTINGS, SIGNATURE, write_questions_run, write_run
from vltune.commands import terminal
from vltune.comparison import per_image
from vltune.comparison.claims import NOTHING
from vltune.comparison.compare import Comparison, compare
from vltune.comparison.runs import collect, load, mean, read_results
from vltune.metrics import bootstrap
from vltune.metrics.caption_metrics import bleu, meteor
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import sha256, write_json
from vltune.report import tables, text
from vltune.report.report import report

LORA = Path("data/results/lora/caption-0.json")
CLAIMS = NOTHING.model_copy(update={"caption_metric": "CIDEr", "caption_margin": 0.05, "seeds": 3})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three methods and the start: captions with two seeds, questions with one."""
    root = tmp_path_factory.mktemp("made")
    (root / "params.yaml").write_text(
        "methods:\n- lora\n- prefix\n- connector\ntasks:\n- caption\n- vqa\nseeds:\n- 0\n"
        "claims:\n  caption_metric: CIDEr\n  caption_margin: 0.05\n"
        "  vqa_metric:\n  vqa_margin:\n  pairs: []\n  seeds: 3\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for method in ("lora", "prefix", "connector"):
            for seed in (0, 1):
                write_run(method, seed)
            write_questions_run(method)
        write_run(paths.START)
        write_questions_run(paths.START)
    return root


@pytest.fixture
def at(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def caption(method: str, seed: int = 0, **changed: Any) -> Any:
    """A run of `made`, with changes to its results."""
    run = load(method, "caption", seed)
    return replace(run, result=run.result | changed)


def word(found: Comparison, name: str, a: str, b: str) -> str:
    return next(row.verdict for row in found.verdicts[name].rows if (row.a, row.b) == (a, b))


def test_statistics_survive_the_results_file() -> None:
    given = np.array([[5, 3, 0, 1.25], [0, 0, 0, 1 / 3]])
    assert bootstrap.pack(given)[0] == "5 3 0 1.25"
    np.testing.assert_allclose(
        np.array(bootstrap.unpack(json.loads(json.dumps(bootstrap.pack(given)))), dtype=float),
        given,
        atol=1e-10,
    )


@pytest.mark.usefixtures("at")
def test_metrics_of_the_corpus_are_those_of_the_sums() -> None:
    one = load("lora", "caption", 0).result["per_image"]
    sums = {name: np.array(bootstrap.unpack(one[name]), dtype=float).sum(0) for name in ("BLEU", "METEOR")}
    found = {
        name: per_image.estimates(name, {"it": [one]}, SETTINGS)["it"].mean
        for name in ("BLEU-1", "BLEU-4", "METEOR")
    }
    values = bleu.value(sums["BLEU"])
    assert found == pytest.approx(
        {"BLEU-1": values[0], "BLEU-4": values[3], "METEOR": float(meteor.value(sums["METEOR"])[0])}
    )


@pytest.mark.usefixtures("at")
def test_one_seed_has_the_numbers_of_its_run() -> None:
    for task in ("caption", "vqa"):
        run = load("lora", task, 0)
        method = compare([run])[0].methods[0]
        for name, score in run.scores.items():
            assert {end: method.scores[name][end] for end in score} == pytest.approx(score, abs=2e-10)
            assert method.scores[name]["sd"] is None


@pytest.mark.usefixtures("at")
def test_verdicts_on_a_real_difference_and_on_none() -> None:
    found = compare(
        [caption("lora"), caption("prefix"), replace(caption("lora"), method="twin"), caption(paths.START)],
        CLAIMS,
    )[0]
    assert [(row.a, row.b) for row in found.verdicts["CIDEr"].rows] == [
        ("lora", "prefix"),
        ("lora", "twin"),
        ("prefix", "twin"),
    ]
    assert word(found, "CIDEr", "lora", "prefix") == "run better"
    assert word(found, "CIDEr", "prefix", "twin") == "run worse"
    assert word(found, "CIDEr", "lora", "twin") == "runs equivalent"
    assert {word(found, name, "lora", "twin") for name in found.verdicts if name != "CIDEr"} == {"undecided"}
    assert text.in_words(found, "CIDEr") == (
        "CIDEr, about these runs alone: lora is better than prefix; twin is better than prefix; equivalent: "
        "lora and twin."
    )
    assert "95 % intervals for their family together" in text.meaning(found)
    assert "it lies within ± 0.05, the margin declared in params.yaml" in text.meaning(found)
    assert "not about the methods: another seed may reverse them" in text.meaning(found)
    pairs = text.pairs(found, ["CIDEr", "METEOR"])
    first = pairs.iloc[0].tolist()
    assert list(pairs) == [
        "method", "against", "CIDEr difference (interval)", "p (adjusted)", "CIDEr", "METEOR",
    ]
    assert first[:2] == ["lora", "prefix"]
    assert re.fullmatch(r"\+0\.230 \(\+0\.\d{3} to \+0\.\d{3}\)", first[2])


@pytest.mark.usefixtures("at")
def test_one_method_has_no_verdict() -> None:
    found = compare([caption("lora"), caption(paths.START)])[0]
    assert found.verdicts == {}
    assert text.pairs(found, ["CIDEr"]).empty
    assert text.in_words(found, "CIDEr") == text.meaning(found) == ""
    assert "against" not in text.markdown([found], [])


@pytest.mark.usefixtures("at")
def test_seeds_are_one_method_and_pairs_have_equally_many() -> None:
    found = compare([caption("lora"), caption("lora", 1), caption("prefix"), caption("prefix", 1)])[0]
    lora = found.methods[0]
    assert (lora.seeds, lora.main["value"]) == (2, pytest.approx(2.355))
    assert lora.main["sd"] == pytest.approx(0.01 / 2**0.5)
    assert lora.result["diversity"]["vocabulary"] == 312.5
    assert "low" not in lora.blind
    assert found.verdicts["CIDEr"].seeds == 2
    assert "about the 2 runs of each method, not about the methods" in text.meaning(found)
    fewer = compare([caption("lora"), caption("lora", 1), caption("prefix")])[0]
    assert [one.seeds for one in fewer.methods] == [2, 1]
    assert fewer.methods[1].main["sd"] is None
    assert fewer.verdicts["CIDEr"].seeds == 1
    assert (
        fewer.verdicts["CIDEr"].rows
        == compare([caption("lora"), caption("prefix")])[0].verdicts["CIDEr"].rows
    )


def test_means_over_seeds() -> None:
    assert mean([3, 3]) == 3
    assert isinstance(mean([3, 3]), int)
    assert mean([1, 2]) == 1.5
    alike = {"value": 1.0, "low": 0.5, "high": 2.0}
    assert mean([{"a": alike, "n": 4}, {"a": alike, "n": 5}]) == {"a": alike, "n": 4.5}
    assert mean([{"a": alike}, {"a": alike | {"value": 2.0}}]) == {"a": {"value": 1.5}}


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"signature": SIGNATURE | {"images": 59}}, "'images' is 60 and 59"),
        ({"signature": SIGNATURE | {"references": "x"}}, "'references' is None and 'x'"),
        ({"signature": SIGNATURE | {"metrics": "others"}}, "'metrics' is 'some' and 'others'"),
        ({"signature": SIGNATURE | {"packages": {"numpy": "1"}}}, "'packages.numpy' is None and '1'"),
        (
            {"signature": SIGNATURE | {"evaluate": SETTINGS.model_dump() | {"seed": 7}}},
            "'evaluate.seed' is 0 and 7",
        ),
        (
            {"signature": SIGNATURE | {"evaluate": SETTINGS.model_dump() | {"bootstrap_samples": 1000}}},
            "'evaluate.bootstrap_samples' is 400 and 1000",
        ),
    ],
)
def test_other_signatures_are_refused(changed: dict, message: str) -> None:
    with pytest.raises(
        InputError, match=f"'lora caption 0' and 'prefix caption 0' cannot be compared: {message}"
    ):
        compare([caption("lora"), caption("prefix", **changed)])


@pytest.mark.usefixtures("at")
def test_other_images_are_refused() -> None:
    given = load("prefix", "caption", 0).result["per_image"]
    others, turned = [*given["images"][:-1], 99], given["images"][::-1]
    with pytest.raises(
        InputError, match=r"'per_image.images' holds 60 and 60 images, only one of them has 59, 99"
    ):
        compare([caption("lora"), caption("prefix", per_image=given | {"images": others})])
    with pytest.raises(InputError, match=r"'per_image.images' holds 60 and 60 images in another order"):
        compare([caption("lora"), caption("prefix", per_image=given | {"images": turned})])


@pytest.mark.usefixtures("at")
def test_tasks_are_compared_apart() -> None:
    assert QUESTIONS != SIGNATURE
    found = compare(collect(["lora", "prefix"], ["caption", "vqa"], [0])[0])
    assert [(one.first.task, list(one.verdicts)) for one in found] == [
        ("caption", ["CIDEr", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L"]),
        ("vqa", ["accuracy", "yes/no", "number", "other"])]


@pytest.mark.usefixtures("at")
def test_three_seeds_are_about_methods() -> None:
    three = [replace(run, seed=seed) for run in map(caption, ("lora", "prefix")) for seed in (0, 1, 2)]
    found = compare(three, CLAIMS)[0]
    assert word(found, "CIDEr", "lora", "prefix") == "better"
    assert text.in_words(found, "CIDEr") == "CIDEr: lora is better than prefix."
    assert "are about the methods: the spread over 3 seeds is in the intervals." in text.meaning(found)
    rows = tables.verdicts([found]).to_dict("records")
    assert {(row["about"], row["seeds"]) for row in rows} == {("methods", 3)}
    assert (rows[0]["margin"], rows[0]["within_margin"]) == (0.05, "no")
    within = replace(found.verdicts["CIDEr"].rows[0], within_margin=True)
    assert text.word(within) == "better, within the margin"


@pytest.mark.usefixtures("at")
def test_seeds_are_paired_by_their_number() -> None:
    given = {
        method: [replace(caption(method), seed=seed) for seed in (0, 1, 2)] for method in ("lora", "prefix")
    }
    given["lora"] = [replace(run, seed=run.seed + 1) for run in given["lora"]]
    assert compare(given["lora"] + given["prefix"])[0].verdicts["CIDEr"].seeds == 2, "1 and 2 are in both"
    apart = [replace(run, seed=run.seed + 5) for run in given["lora"]]
    assert compare(apart + given["prefix"])[0].verdicts["CIDEr"].seeds == 3, "none is in both"


@pytest.mark.usefixtures("at")
def test_no_word_and_no_interval_of_a_pair_depends_on_the_seed_of_the_draws() -> None:
    given = {
        name: [caption(name, seed).result["per_image"] for seed in (0, 1)] for name in ("lora", "prefix")
    }
    for name in ("CIDEr", "BLEU-4"):
        rows = [
            per_image.verdicts(name, given, SETTINGS.model_copy(update={"seed": seed}), 0.05).rows
            for seed in range(20)
        ]
        assert all(row == rows[0] for row in rows)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (
            ("task",),
            "captoin",
            r"unknown task 'captoin' \(did you mean 'caption'\?\); expected one of caption, vqa",
        ),
        (
            ("per_image",),
            {"images": [1], "CIDEr": [1.0], "METEOR": [0.5], "ROUGE-L": [1.0]},
            r"per_image\[0\] has no 'BLEU'",
        ),
        (("signature",), {"images": 60, "interval": "n=1000"}, r"signature\[0\] has no 'evaluate'"),
        (("signature", "evaluate", "confidence"), 2, "key 'evaluate.confidence' = 2"),
    ],
)
def test_a_results_file_of_another_form_is_named(
    at: Path, tmp_path: Path, keys: tuple[str, ...], value: Any, message: str
) -> None:
    content = place = json.loads((at / LORA).read_text())
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    write_json(tmp_path / "some.json", content)
    with pytest.raises(InputError, match=f"some.json: .*{message}"):
        read_results(tmp_path / "some.json")


@pytest.mark.parametrize(
    ("old", "new", "now"),
    [
        (
            '"projector_parameters"',
            '"connector_parameters"',
            "'projector_parameters' was called 'connector_parameters'",
        ),
        ('"method": "lora"', '"method": "zero_shot"', "'aligned' was called 'zero_shot'"),
    ],
)
def test_a_results_file_of_an_earlier_version_is_named(
    at: Path, tmp_path: Path, old: str, new: str, now: str
) -> None:
    (tmp_path / "some.json").write_text((at / LORA).read_text().replace(old, new))
    with pytest.raises(
        InputError, match=f"some.json: written by an earlier version, in which {now}; make it again"
    ):
        read_results(tmp_path / "some.json")


@pytest.mark.usefixtures("at")
def test_the_tables_of_methods_and_verdicts() -> None:
    found = compare(collect(["lora", "prefix", "connector"], ["caption", "vqa"], [0])[0])
    methods, pairs = tables.over_seeds(found), tables.verdicts(found)
    assert len(methods) == (7 + 4) * 4
    assert len(pairs) == (7 + 4) * 3
    assert list(methods) == "task metric method mean sd low high seeds images".split()
    assert list(pairs) == (
        "task metric method other difference low high p p_adjusted margin verdict within_margin about family "
        "seeds images"
    ).split()
    assert {(row["task"], row["seeds"], row["images"]) for row in pairs.to_dict("records")} == {
        ("caption", 1, 60), ("vqa", 1, 60)}
    first = pairs.iloc[0]
    assert (first["metric"], first["method"], first["other"], first["verdict"]) == (
        "CIDEr",
        "lora",
        "prefix",
        "run better",
    )
    assert first["difference"] == pytest.approx(0.23)
    assert first["low"] < 0.23 < first["high"]
    assert 0 <= first["p"] <= first["p_adjusted"] <= 0.05


@pytest.mark.usefixtures("undrawn")
def test_verdicts_are_the_same_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seconds in (100.0, 123.0):
        for method in ("lora", "prefix"):
            for seed in (0, 1):
                write_run(method, seed, seconds)
        report(["lora", "prefix"], ["caption"], [0, 1])
        found = {name: sha256(Path(f"metrics/{name}.csv")) for name in ("verdicts", "methods")}
        if seconds == 100.0:
            first = found
    assert found == first
    with Path("metrics/verdicts.csv").open(newline="") as file:
        assert [row["seeds"] for row in csv.DictReader(file)] == ["2"] * 7


@pytest.mark.usefixtures("at")
def test_compare_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune("compare") == (0, "")
    said = capsys.readouterr().out
    assert said.startswith("caption\n\nmethod ")
    assert "\n\nvqa\n\nmethod " in said
    assert re.search(r"\nlora +1,224,087 +0\.91 % +1\.08 % +2\.350 \(2\.\d{3} to 2\.\d{3}\) ", said)
    assert re.search(r"\nlora +prefix +\+0\.230 \(\+0\.\d{3} to \+0\.\d{3}\) +< 0\.001  run better ", said)
    assert "CIDEr, about these runs alone: lora is better than prefix and connector; prefix is better" in said
    assert max(map(len, said.splitlines())) <= terminal.WIDTH
    assert "\x1b" not in said


@pytest.mark.usefixtures("at")
def test_compare_in_markdown_is_what_the_report_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune("compare", "--format", "markdown") == (0, "")
    said = capsys.readouterr().out
    assert said == text.markdown(
        compare(collect(["lora", "prefix", "connector"], ["caption", "vqa"], [0])[0], CLAIMS), []
    )
    assert vltune("compare", "--task", "caption", "--metric", "METEOR", "--format", "markdown") == (0, "")
    said = capsys.readouterr().out
    assert (
        "| method | trained | share | with projector | METEOR (interval) |\n"
        "| --- | ---: | ---: | ---: | ---: |"
        in said)
    assert (
        "| method | against | METEOR difference (interval) | p (adjusted) | METEOR |\n| --- | --- | ---: | "
        "---: | --- |"
        in said
    )
    assert "**vqa**" not in said


@pytest.mark.usefixtures("at")
def test_compare_in_csv_is_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune("compare", "--format", "csv", "--metric", "accuracy") == (0, "")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["method"], row["other"], bool(row["mean"]), bool(row["difference"])) for row in rows] == [
        ("lora", "", True, False),
        ("prefix", "", True, False),
        ("connector", "", True, False),
        (paths.START, "", True, False),
        ("lora", "prefix", False, True),
        ("lora", "connector", False, True),
        ("prefix", "connector", False, True),
    ]
    assert {row["task"] for row in rows} == {"vqa"}
    assert [row["verdict"] for row in rows[4:]] == ["run better"] * 3


@pytest.mark.usefixtures("at")
def test_compare_given_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune(
        "compare", f"old={LORA}", LORA, "data/results/prefix/caption-0.json", "--metric", "CIDEr"
    ) == (0, "")
    said = capsys.readouterr().out
    assert re.search(r"\nold +lora +\+0\.000 \(\+0\.000 to \+0\.000\) +1\.000  runs equivalent\n", said)
    assert (
        "old is better than prefix; lora is better than prefix; equivalent: old and lora."
        in said.replace("\n", " ")
    )


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--format", "markdwon"],
            "unknown format 'markdwon' (did you mean 'markdown'?); choose one of terminal, markdown, csv",
        ),
        (
            ["--task", "captions"],
            "unknown task 'captions' (did you mean 'caption'?); choose one of caption, vqa",
        ),
        (
            ["--metric", "CIDER"],
            "unknown metric 'CIDER' (did you mean 'CIDEr'?); choose one of CIDEr, BLEU-1",
        ),
        (["--metric", "accuracy", "--task", "caption"], "unknown metric 'accuracy'; choose one of CIDEr"),
        ([LORA, "--task", "vqa"], "unknown task 'vqa'; choose one of caption"),
        (
            [LORA, LORA],
            f"{LORA} and {LORA} are both results of lora caption 0; give them names, such as other={LORA}",
        ),
        (["none.json"], "none.json: no such file"),
        (["--root", "data"], "data/params.yaml: no such file"),
    ],
)
def test_compare_names_what_is_wrong(words: list[str], message: str) -> None:
    code, said = vltune("compare", *words)
    assert code == 1
    assert message in said


def test_compare_says_what_is_missing(at: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "params.yaml").write_text((at / "params.yaml").read_text().replace("- prefix", "- other"))
    (tmp_path / "data").symlink_to(at / "data")
    code, said = vltune("compare", "--task", "caption", "--root", tmp_path)
    assert (code, "lora is better than connector" in capsys.readouterr().out) == (1, True)
    assert (
        f"1 results are missing and left out: {tmp_path}/data/results/other/caption-0.json; make them with "
        f"`dvc repro`"
        in said
    )


def test_compare_refuses_other_signatures(at: Path, tmp_path: Path) -> None:
    content = json.loads((at / LORA).read_text())
    write_json(
        tmp_path / "old.json",
        content | {"signature": SIGNATURE | {"evaluate": SETTINGS.model_dump() | {"confidence": 0.9}}},
    )
    code, said = vltune("compare", f"old={tmp_path / 'old.json'}", LORA)
    assert code == 1
    assert (
        "'old caption 0' and 'lora caption 0' cannot be compared: 'evaluate.confidence' is 0.9 and 0.95"
        in said
    )
