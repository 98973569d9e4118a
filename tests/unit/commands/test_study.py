"""`vltune study`: the plan, what makes a run stale, the files of runs, and the tables made of these alone."""

from __future__ import annotations

import fcntl
import json
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import results
from command import vltune
from contracts.graph import ROOT
from vltune.commands import study as command
from vltune.commands import study_clone, study_runs
from vltune.commands.study_check import SECTIONS, check_settings
from vltune.commands.study_overview import last_fall, plateau
from vltune.commands.study_plan import Choice, Planned, Study, differences, is_method, read_study
from vltune.commands.study_times import estimate, read_trainings
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.params import read
from vltune.pipeline.tasks import JOINT

FILE = Path("results/trial.yaml")
TEXT = """title: A trial
source: made up
params: {train.steps: 150}
methods: [lora, prefix, aligned]
tasks: [caption, vqa]
seeds: [0, 1, 2]
variants:
  small: {}
  large: {params: {lora.rank: 9}, methods: [lora], tasks: [caption], seeds: [0, 1]}
"""
ALL = Choice([], [], [], [])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    write(TEXT)
    return tmp_path


def write(text: str) -> Study:
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text)
    return read_study(FILE, Path())


def finish(study: Study, *runs: Planned, better: float = 0.0, seconds: float = 130.0) -> None:
    """Write the files of runs, from made-up results."""
    write_json(paths.RAW / "SOURCE.json", {"dataset": "scenes", "source": "here", "licence": "none"})
    for run in runs:
        if run.joint:
            results.write_joint_run(run.method, run.seed)
        elif run.task == "caption":
            results.write_run(run.method, run.seed, better=better)
        else:
            results.write_questions_run(run.method, run.seed)
        checkpoint = paths.checkpoint(run.method, run.training, run.seed) / "checkpoint.json"
        write_json(checkpoint, {"step": 75, "val_loss": 0.9, "precision": "float32", "settings": {}})
        study_runs.write_run(study, run, Path(), "0123456789abcdef", seconds)


def unmeasured(names: tuple[str, ...], *_: object) -> dict[str, dict[str, float]]:
    """Scores without their second of computing: tables of several seeds compute them from the images."""
    return {name: results.metric(1.0) for name in names}


def tables() -> tuple[int, str]:
    return vltune("study", FILE, "--tables")


@pytest.mark.usefixtures("project")
def test_the_first_seed_of_everything_comes_first_and_the_start_once() -> None:
    runs = read_study(FILE, Path()).runs()
    names = [run.name for run in runs]
    assert len(names) == len(set(names)) == 2 * 2 * 3 + 2 + 2
    assert names[:7] == ["small-lora-caption-0", "small-prefix-caption-0", "small-aligned-caption-0",
                         "small-lora-vqa-0", "small-prefix-vqa-0", "small-aligned-vqa-0",
                         "large-lora-caption-0"]
    assert {run.seed for run in runs[7:]} == {1, 2}
    assert [run.name for run in runs if run in Choice(["large"], ["lora"], [], [1])] == [
        "large-lora-caption-1"]


@pytest.mark.usefixtures("project")
def test_settings_are_those_that_a_run_depends_on() -> None:
    study = read_study(FILE, Path())
    small, large = (study.settings(Planned(name, "lora", "caption", 0)) for name in ("small", "large"))
    assert small["train"]["steps"] == 150
    assert (small["lora"]["rank"], large["lora"]["rank"]) == (4, 9)
    assert {"fetch", "scenes", "preprocess", "align", "train", "budget", "predict", "evaluate"} <= set(small)
    assert not {"prefix", "claims", "attention"} & set(small)
    assert "path" not in small["fetch"], "no path of a machine is kept"


@pytest.mark.usefixtures("project")
def test_rates_of_the_other_task_do_not_matter() -> None:
    rates = ("lora.learning_rate: {caption: 0.001, vqa: 0.002}", "lora.learning_rate.vqa: 0.003")
    before, after = (write(TEXT.replace("train.steps: 150", rate)) for rate in rates)
    for task, changed in (("caption", "0.0035"), ("vqa", "0.003")):
        run = Planned("small", "lora", task, 0)
        pair = before.settings(run), after.settings(run)
        assert differences(*pair, {}) == [
            f"lora.learning_rate was {pair[0]['lora']['learning_rate']}, is {changed}"]
    assert before.params["lora"]["learning_rate"] == read(ROOT / "params.yaml")["lora"]["learning_rate"]


def test_differences_name_what_changed() -> None:
    stored = {"train": {"steps": 140, "old": 1}}
    present = {"train": {"steps": 400, "new": 2}, "projector": {"start": "ridge"}}
    assert differences(stored, present, {}) == ["train.steps was 140, is 400"]
    assert differences(stored, present, {"projector.start": "ridge"})[1:] == [
        "projector.start was not set, is ridge"]
    assert not differences(present, present, {"train.steps": 400})


@pytest.mark.usefixtures("project")
def test_a_run_with_other_parameters_is_stale_named_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    study = write(TEXT)
    finish(study, Planned("small", "lora", "caption", 0), Planned("large", "lora", "caption", 0))
    study = write(TEXT.replace("lora.rank: 9", "lora.rank: 8"))
    runs = study_runs.read_runs(study)
    assert [run.name for run in runs.finished] == ["small-lora-caption-0"]
    stale = Planned("large", "lora", "caption", 0)
    assert runs.stale == {stale: ["lora.rank was 9, is 8"]}
    assert "Stale: large-lora-caption-0: lora.rank was 9, is 8." in command.plan(study, runs, ALL, Path())
    assert tables() == (0, "")
    page = FILE.with_suffix(".md").read_text()
    assert "Left out, made with other parameters: `large-lora-caption-0` (lora.rank was 9, is 8)." in page
    assert "## Variant large" not in page
    assert "large" not in FILE.with_suffix(".csv").read_text()
    assert vltune("study", FILE, "--redo", "--minutes", 0, "--variant", "small") == (0, "")
    assert study_runs.path_of(study, stale).is_file(), "it was not chosen"
    assert vltune("study", FILE, "--redo", "--minutes", 0) == (0, "")
    assert not study_runs.path_of(study, stale).exists()
    assert "large-lora-caption-0" in capsys.readouterr().out.splitlines()[-1], "it is missing now"


@pytest.mark.usefixtures("project")
def test_a_changed_default_makes_stale_too_and_the_study_can_keep_it() -> None:
    study = write(TEXT)
    finish(study, Planned("small", "lora", "caption", 0))
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("  batch_size: 6 ", "  batch_size: 8 "))
    [changed] = study_runs.read_runs(read_study(FILE, Path())).stale.values()
    assert changed == ["train.batch_size was 6, is 8"]
    study = write(TEXT.replace("train.steps: 150", "train.steps: 150, train.batch_size: 6"))
    assert study_runs.read_runs(study).finished


@pytest.mark.usefixtures("project")
def test_the_plan_says_what_is_there_and_how_long_the_rest_takes() -> None:
    study = write(TEXT)
    finish(study, *(Planned("small", "lora", "caption", seed) for seed in (0, 1)))
    plan = command.plan(study, study_runs.read_runs(study), Choice([], ["lora"], [], []), Path())
    assert plan.startswith("A trial: 2 of 16 runs are finished.\n")
    lines = {" ".join(line.split()[:3]): line.split()[3:] for line in plan.splitlines() if line}
    assert lines["small caption lora"] == ["0,", "1", "2", "2.2"]
    assert lines["large caption lora"] == ["0,", "1", "2.2"]
    assert "To make: 0.11 hours" in plan, "three runs of 130 seconds; of questions nothing is known"
    assert "and 3 runs of unknown length" in plan


@pytest.mark.usefixtures("project")
def test_an_estimate_scales_the_training_and_not_the_rest() -> None:
    study = write(TEXT)
    run = Planned("small", "lora", "caption", 0)
    finish(study, run)
    longer = write(TEXT.replace("train.steps: 150", "train.steps: 300"))
    [done] = study_runs.read_runs(study).finished.values()
    assert estimate(longer, run, [done], []) == pytest.approx(2 * 100 + 30)
    shutil.copytree(ROOT / "metrics", "metrics")
    [train] = [row["train_seconds"] for row in read_trainings(Path())
               if (row["method"], row["task"]) == ("prefix", "caption")]
    other = Planned("small", "prefix", "caption", 1)
    assert estimate(longer, other, [done], read_trainings(Path())) == pytest.approx(train * 300 / 140 + 30)
    assert estimate(longer, other, [], []) is None
    assert estimate(longer, Planned("small", "aligned", "caption", 0), [done], []) == pytest.approx(30)


@pytest.mark.usefixtures("project")
def test_runs_that_would_end_too_late_are_not_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write(TEXT)
    finish(study, Planned("small", "lora", "caption", 0), seconds=700)
    finish(study, Planned("small", "prefix", "caption", 0), seconds=130)
    made = []

    def make(clone: Any, study: Study, run: Planned, *rest: object) -> float:  # noqa: ARG001
        made.append(run.name)
        finish(study, run)
        return 130.0

    monkeypatch.setattr(study_clone, "make", make)
    monkeypatch.setattr(study_clone, "tidy", lambda *_: None)
    monkeypatch.setattr(study_clone, "at_head", lambda *_: study_clone.Clone(Path(), "0123"))
    part = ("--task", "caption", "--variant", "small", "--method", "lora", "--method", "prefix")
    assert vltune("study", FILE, "--minutes", 5, *part) == (0, "")
    assert made == ["small-prefix-caption-1", "small-prefix-caption-2"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Not started, as they would not end within 5 minutes: small-lora-caption-1, "
                           "small-lora-caption-2.")


@pytest.mark.usefixtures("project")
def test_a_run_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(clone: Any, study: Study, run: Planned, *rest: object) -> float:  # noqa: ARG001
        if run.method == "lora":
            raise InputError("the training has diverged")
        finish(study, run)
        return 1.0

    monkeypatch.setattr(study_clone, "make", make)
    monkeypatch.setattr(study_clone, "tidy", lambda *_: None)
    monkeypatch.setattr(study_clone, "at_head", lambda *_: study_clone.Clone(Path(), "0123"))
    code, message = vltune("study", FILE, "--seed", 0, "--task", "caption", "--variant", "small")
    assert code == 1
    assert "1 runs failed, see above: small-lora-caption-0" in message
    assert "the training has diverged" in capsys.readouterr().err
    assert len(study_runs.read_runs(read_study(FILE, Path())).finished) == 2


@pytest.mark.usefixtures("project")
def test_two_processes_on_a_study_are_refused() -> None:
    Path(".work/studies").mkdir(parents=True)
    with Path(".work/studies/trial.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process is making runs of this study" in vltune("study", FILE, "--minutes", 0)[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with all runs but one, and its tables, made where data and models are gone."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(results, "measured", unmeasured)
        shutil.copy(ROOT / "params.yaml", "params.yaml")
        study = write(TEXT)
        missing = Planned("small", "prefix", "vqa", 2)
        finish(study, *(run for run in study.runs() if run.variant == "small" and run != missing))
        finish(study, *(run for run in study.runs() if run.variant == "large"), better=0.4)
        for name in ("data", "models", "plots"):
            shutil.rmtree(name)
        assert tables() == (0, "")
    return folder


@pytest.fixture
def whole(made: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study of `made`, in the working directory."""
    monkeypatch.chdir(made)
    return read_study(FILE, Path())


def test_the_tables_come_from_the_files_alone_and_repeat(whole: Study) -> None:
    pages = [FILE.with_suffix(ending) for ending in (".md", ".csv")]
    first = [page.read_bytes() for page in pages]
    for path in [*whole.folder.glob("*.json"), *pages]:  # as git would write them: new, in any order
        content = path.read_bytes()
        path.unlink()
        if path not in pages:
            path.write_bytes(content)
    assert tables() == (0, "")
    assert [page.read_bytes() for page in pages] == first


@pytest.mark.usefixtures("whole")
def test_the_page_has_methods_verdicts_controls_types_and_costs() -> None:
    page = FILE.with_suffix(".md").read_text()
    assert "15 of 16 runs are finished. Missing: `small-prefix-vqa-2`." in page
    assert "Parameters: `train.steps: 150`." in page
    assert "at commit 0123456789ab" in page
    small, _, rest = page.partition("## Variant large")
    captions, _, questions = small.partition("**vqa**")
    large, _, across = rest.partition("## Variants of lora, caption")
    assert "| lora | 3 | 1,224,087 | 0.91 % | 1.08 % | 2.360 ± 0.010 (" in captions
    assert "CIDEr: lora is better than prefix.\n" in captions, "three seeds: about the methods"
    assert "The words are about the methods: the spread over 3 seeds" in captions
    assert "the 2 runs of each method, not about the methods" in questions, "prefix has two seeds"
    assert "| lora | 3 of 3 | 150 | 75 | 0.900 |" in captions
    assert "| prefix | 2 of 3 |" in questions
    assert "| question type | questions | lora | prefix | aligned | most frequent answer |" in questions
    assert "| colour | 60 | 0." in questions
    assert "blind CIDEr" in captions
    assert "| lora | 2 of 2 |" in large
    assert "| variant | against | CIDEr difference (interval) |" in across
    table = page.partition("## caption: CIDEr by variant")[2].partition("##")[0]
    assert "| method | small | small: plateau | large | large: plateau |" in table
    assert re.search(r"\| lora \| 2\.360 ± .+ \| needs .+ 4 \| 2\.\d+ ± .+ \| needs .+ 4 \|", table)
    assert re.search(r"\| prefix \| 2\.\d+ ± .+ \| needs train.evaluations >= 4 \|  \|  \|", table)
    assert re.search(r"\| lora \| prefix \| better, within the margin \(\+0\.2\d\d\) \|", table)
    assert "## vqa: accuracy by variant" not in page, "one variant alone has questions"
    assert "CIDEr, about these runs alone: large is better than small." in across


@pytest.mark.usefixtures("whole")
def test_the_csv_has_a_row_for_every_method_pair_and_pair_of_variants() -> None:
    from vltune.commands.study_tables import CSV
    from vltune.comparison import frames

    rows = frames.records(frames.read(FILE.with_suffix(".csv"), CSV))
    cider = [row for row in rows if row["metric"] == "CIDEr"]
    assert [(row["variant"], row["method"], row["other_variant"], row["other"]) for row in cider] == [
        ("small", "lora", None, None), ("small", "prefix", None, None), ("small", "aligned", None, None),
        ("small", "lora", "small", "prefix"), ("large", "lora", None, None),
        ("small", "lora", "large", "lora")]
    lora, pair = cider[0], cider[3]
    assert (lora["seeds"], lora["planned"], lora["train_seconds"], lora["seconds"]) == (3, 3, 100, 130)
    assert lora["mean"] == pytest.approx(2.36, abs=1e-4)
    assert lora["blind"] == pytest.approx(0.11 * 2.36, abs=1e-4)
    assert (pair["verdict"], pair["about"]) == ("better", "methods")
    assert pair["low"] < pair["difference"] < pair["high"]
    [row] = [row for row in rows if (row["metric"], row["method"]) == ("accuracy", "prefix")]
    assert (row["seeds"], row["planned"]) == (2, 3)


@pytest.mark.usefixtures("project")
def test_a_file_of_a_thousand_images_has_at_most_200_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "IMAGES", 1000)
    signature = results.SIGNATURE | {"images": 1000}
    noise = random.Random(0)
    given = results.of_captions(2.31, "lora0") | {"images": list(range(100_000, 101_000))}
    given["METEOR"] = [" ".join(str(noise.randint(0, 12)) for _ in range(23)) for _ in range(1000)]
    study, run = write(TEXT), Planned("small", "lora", "caption", 0)
    monkeypatch.setattr(results, "of_captions", lambda *_: given)
    monkeypatch.setattr(results, "measured", unmeasured)
    results.write_run("lora", signature=signature)
    monkeypatch.setattr(results, "write_run", lambda *_, **__: None)
    finish(study, run)
    path = study_runs.path_of(study, run)
    assert 90_000 < path.stat().st_size < 200_000
    kept = read_json(path)["per_image"]
    assert kept["METEOR"] == given["METEOR"]
    assert kept["CIDEr"] == pytest.approx(given["CIDEr"], abs=5.1e-5)


def test_rounding_keeps_whole_numbers_short() -> None:
    assert json.dumps(study_runs.rounded({"a": [2.0, 0.33333333, "1 2"], "b": 3})) == \
        '{"a": [2, 0.3333, "1 2"], "b": 3}'


def test_the_fall_in_the_last_quarter() -> None:
    curve = {"step": [25, 50, 75, 100], "val_loss": [3.0, 2.0, 1.0, 0.9]}
    assert last_fall({"curve": curve, "training": {"steps": 100}}) == pytest.approx(0.1)
    assert last_fall({"curve": {"step": [100], "val_loss": [1.0]}, "training": {"steps": 100}}) is None


def test_the_plateau_is_a_fall_of_less_than_a_hundredth_in_the_last_quarter() -> None:
    def training(*losses: float) -> dict:
        steps = [100 * (i + 1) // len(losses) for i in range(len(losses))]
        return {"curve": {"step": steps, "val_loss": list(losses)}, "training": {"steps": 100}}

    flat, falling = training(3.0, 1.2, 1.0, 0.995), training(3.0, 1.2, 1.0, 0.985)
    assert plateau([flat]) == "yes"
    assert plateau([training(3.0, 1.2, 1.0, 1.1)]) == "yes", "a loss that rises has passed it"
    assert plateau([falling, falling]) == "no"
    assert plateau([flat, falling]) == "1 of 2"
    assert plateau([flat, training(2.0, 1.0, 0.999)]) == "needs train.evaluations >= 4"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("title: A trial\n", "", r"key 'title' is missing in section 'study'"),
    ("train.steps", "train.stepz", r"params: unknown key 'train\.stepz' \(did you mean 'train\.steps'\?\)"),
    ("{train.steps: 150}", "{fetch.path: /here}", r"fetch\.path is a path of one machine; give it as --path"),
    ("[lora, prefix, aligned]", "[lora, prefixes]", r"unknown method 'prefixes' \(did you mean 'prefix'\?\)"),
    ("[lora, prefix, aligned]", "[lora, lora]", r"the run small-lora-caption-0 stands twice"),
    ("tasks: [caption, vqa]", "tasks: [captions]", r"unknown task 'captions' \(did you mean 'caption'\?\)"),
    ("seeds: [0, 1, 2]", "seeds: []", r"'study\.seeds' = \[\]"),
    ("small: {}", "sm/all: {}", r"variant 'sm/all': expected letters"),
    ("lora.rank: 9", "lora.rank: nine", r"'lora\.rank' = 'nine': input should be a valid integer"),
    ("train.steps: 150", "claims.vqa_margin: -1.0", r"'claims\.vqa_margin' = -1\.0"),
])
@pytest.mark.usefixtures("project")
def test_a_wrong_study_is_refused(old: str, new: str, message: str) -> None:
    FILE.write_text(TEXT.replace(old, new))
    code, text = vltune("study", FILE, "--dry-run")
    assert code == 1
    with pytest.raises(InputError, match=message):
        raise InputError(text)


@pytest.mark.usefixtures("project")
def test_data_of_this_machine_needs_its_path(tmp_path: Path) -> None:
    write(TEXT.replace("{train.steps: 150}", "{fetch.dataset: flickr8k}"))
    assert "give its folder or archive as --path" in vltune("study", FILE)[1]
    assert "no finished run of this study" in tables()[1]
    assert "no such folder or archive" in vltune("study", FILE, "--path", tmp_path / "none.zip")[1]
    outside = tmp_path / "trial.yaml"
    outside.write_text(TEXT)
    assert "expected a study in results" in vltune("study", outside, "--dry-run")[1]


@pytest.mark.usefixtures("project")
def test_of_many_missing_runs_the_first_are_named() -> None:
    study = write(TEXT)
    finish(study, Planned("small", "lora", "caption", 0))
    assert tables() == (0, "")
    named = FILE.with_suffix(".md").read_text().partition("Missing: ")[2].partition("\n")[0]
    assert named.count("`") == 2 * 10
    assert named.endswith("and 5 more.")


@pytest.mark.usefixtures("project")
def test_margins_are_those_of_the_study_where_it_has_its_own() -> None:
    study = read_study(FILE, Path())
    assert command.claims_of(study, Path()).caption_margin == read(ROOT / "params.yaml")["claims"][
        "caption_margin"]
    own = study.content.model_copy(update={"params": {"claims.caption_margin": 0.02}})
    assert command.claims_of(replace(study, content=own), Path()).caption_margin == 0.02


def test_every_section_is_checked_before_the_first_run() -> None:
    sections = {name for name, content in read(ROOT / "params.yaml").items() if isinstance(content, dict)}
    assert set(SECTIONS) == {name for name in sections if not is_method(name)} - {"claims", "report"}


@pytest.mark.parametrize("file", sorted((ROOT / "results").rglob("*.yaml")), ids=lambda file: file.stem)
def test_the_studies_of_the_repository_can_be_made(file: Path) -> None:
    study = read_study(file, ROOT)
    check_settings(study)
    assert file.read_text().startswith(f"# vltune study {file.relative_to(ROOT)}")
    assert study.folder == ROOT / "results/runs" / file.relative_to(ROOT / "results").with_suffix("")


TOGETHER = """title: Together
source: made up
methods: [lora]
tasks: [caption, vqa]
seeds: [0]
variants:
  separate: {}
  joint: {tasks: [caption+vqa], params: {train.steps: 150}}
"""


@pytest.mark.usefixtures("project")
def test_a_joint_training_leaves_a_file_for_each_task() -> None:
    study = write(TOGETHER)
    runs = study.runs()
    assert [run.name for run in runs] == [
        "separate-lora-caption-0", "separate-lora-vqa-0", "joint-lora-caption-0", "joint-lora-vqa-0"]
    assert command.once(runs) == runs[:3], "one training is made for the last two"
    assert study_clone._target(study, runs[3]) == f"evaluate@lora-{JOINT}-0"
    assert study.settings(runs[3])["lora"]["learning_rate"] == 0.0035
    finish(study, *runs)
    finished = study_runs.read_runs(study).finished
    assert [finished[run].run.training for run in runs] == ["caption", "vqa", JOINT, JOINT]
    assert finished[runs[2]].train_seconds == finished[runs[3]].train_seconds == 150.0
    code, _ = tables()
    assert code == 0
    text = FILE.with_suffix(".md").read_text()
    assert "## Variants of lora, caption" in text
    assert "## Variants of lora, vqa" in text
    assert "Trained on captions and questions together: joint;" in text


@pytest.mark.usefixtures("project")
def test_a_task_is_trained_once_in_a_variant() -> None:
    with pytest.raises(InputError, match=r"trial\.yaml: 'tasks' holds 'caption' and 'caption\+vqa', which"):
        write(TOGETHER.replace("tasks: [caption+vqa]", "tasks: [caption, caption+vqa]"))
