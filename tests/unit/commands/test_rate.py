"""vltune rate: the sheet is blind and complete, and nothing but complete ratings of it is scored."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

import results
from command import vltune
from contracts.graph import ROOT
from vltune.commands import rating_files, rating_results
from vltune.commands.rating_sheet import REFERENCE, SCALES, Key, read_key
from vltune.pipeline import paths
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.params import read

METHODS = ["lora", "full", "connector"]
KEY, PAGE = Path("ratings/key.json"), Path("ratings/for_raters/ratings.html")
TABLE = PAGE.with_suffix(".csv")


def sheet(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[Path, Key]:
    """Make a sheet from made-up predictions in a folder, which becomes the current one; give page and key."""
    monkeypatch.chdir(folder)
    params = read(ROOT / "params.yaml") | {"methods": METHODS}
    with Path("params.yaml").open("w") as file:
        YAML().dump(params, file)
    for method in METHODS:
        results.write_run(method)
    images = paths.RAW / "images/test"
    images.mkdir(parents=True)
    for i in range(results.IMAGES):
        Image.new("RGB", (600, 300), (i, 90, 200)).save(images / f"{i:04}.png")
    assert vltune("rate", "--difference", 1, *words) == (0, "")
    return folder / PAGE, read_key(KEY)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sheet, made once."""
    folder = tmp_path_factory.mktemp("rated")
    with pytest.MonkeyPatch.context() as patch:
        sheet(folder, patch)
    return folder


@pytest.fixture
def made(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Key:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return read_key(KEY)


def table(path: Path) -> list[list[str]]:
    """Read the rows of a CSV."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def answered(key: Key, name: str, change=None) -> Path:
    """Fill in the table as a rater does, then let `change` spoil its rows; the first row has the names."""
    quality = {"full": 5, "lora": 4, "connector": 2, REFERENCE: 5}
    rows = table(TABLE)
    shift = sum(name.encode()) % 2
    for row, rated in zip(rows[1:], key.rows, strict=True):
        row[5:7] = [str(max(quality[method] for method in rated.methods) - shift * (i % 2)) for i in range(2)]
    if change:
        change(rows)
    path = Path(f"{name}.csv")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_every_image_has_every_method_and_a_reference(made: Key) -> None:
    by_image: dict = {}
    for row in made.rows:
        by_image.setdefault(row.image_id, []).append(row)
    references = {row["image_id"]: row["references"]
                  for row in read_json(paths.predictions("lora", "caption", 0))}
    for image, rows in by_image.items():
        assert sorted(method for row in rows for method in row.methods) == sorted([*METHODS, REFERENCE])
        assert [row.letter for row in rows] == list("ABCD"[:len(rows)])
        [control] = [row for row in rows if REFERENCE in row.methods]
        assert control.caption in references[image]


def test_the_letters_say_nothing_of_the_method(made: Key) -> None:
    letters = Counter(row.letter for row in made.rows if "lora" in row.methods)
    assert len(letters) == 4, "the order is the same on every image"


def test_the_raters_files_do_not_name_a_method(made: Key) -> None:
    """The captions of this test name their methods; the rest of the files must not."""
    for path in (PAGE, TABLE):
        text = path.read_text(encoding="utf-8-sig")
        for caption in {row.caption for row in made.rows}:
            text = text.replace(caption, "")
        assert not [name for name in (*METHODS, REFERENCE) if name in text], path


def test_the_page_needs_no_other_file(made: Key) -> None:
    text = PAGE.read_text()
    assert text.count("data:image/jpeg;base64,") == len({row.image for row in made.rows})
    assert "http" not in text.replace("http-equiv", "")
    assert "src=" not in text.replace('src="data:', "")


def test_the_same_seed_draws_the_same_sheet(made: Key, tmp_path: Path) -> None:
    assert vltune("rate", "again", "--difference", 1) == (0, "")
    assert (tmp_path / "again/key.json").read_bytes() == KEY.read_bytes()
    assert vltune("rate", "other", "--difference", 1, "--method", "lora", "--method", "full") == (0, "")
    assert read_key(Path("other/key.json")).sheet != made.sheet


@pytest.mark.usefixtures("made")
def test_equal_captions_stand_once_and_count_for_all() -> None:
    path = paths.predictions("full", "caption", 0)
    others = {row["image_id"]: row["caption"] for row in read_json(paths.predictions("lora", "caption", 0))}
    write_json(path, [row | {"caption": others[row["image_id"]]} for row in read_json(path)])
    assert vltune("rate", "equal", "--difference", 1) == (0, "")
    rows = read_key(Path("equal/key.json")).rows
    assert all((("lora" in row.methods) == ("full" in row.methods)) for row in rows)


@pytest.mark.usefixtures("made")
def test_more_images_than_there_are_is_refused_with_what_they_can_show() -> None:
    code, message = vltune("rate", "large", "--difference", 0.1)
    assert code == 1
    assert f"there are predictions for {results.IMAGES}; they show differences of 0." in message
    smallest = message.split("differences of ")[1].split()[0]
    assert vltune("rate", "large", "--difference", smallest) == (0, "")


@pytest.mark.usefixtures("made")
def test_a_sheet_is_never_overwritten() -> None:
    before = KEY.read_bytes()
    code, message = vltune("rate")
    assert (code, KEY.read_bytes()) == (1, before)
    assert "ratings: is not empty" in message


@pytest.mark.parametrize(("method", "message"), [
    ("lroa", "caption-lroa-0.json: no such file"), (REFERENCE, "the name of the human control"),
])
@pytest.mark.usefixtures("made")
def test_a_method_that_cannot_be_rated_is_refused(method: str, message: str) -> None:
    code, text = vltune("rate", "other", "--method", method)
    assert code == 1
    assert message in text


def test_a_missing_image_is_named(made: Key) -> None:
    (paths.RAW / "images/test" / made.rows[0].image).unlink()
    code, message = vltune("rate", "other", "--difference", 1)
    assert code == 1
    assert f"{made.rows[0].image}: cannot be read as an image: No such file" in message
    assert not Path("other").exists()


def test_scores_have_every_table(made: Key, capsys: pytest.CaptureFixture[str]) -> None:
    files = [answered(made, name) for name in ("anna", "ben", "carla")]
    capsys.readouterr()
    assert vltune("rate", "--score", *files) == (0, "")
    text = capsys.readouterr().out
    assert text.startswith("3 raters (anna, ben, carla)")
    for scale in SCALES:
        for title in ("mean rating", "differences", "preferences, share of images",
                      "correlation with metrics"):
            assert f"{scale}: {title}\n" in text
    line = next(line for line in text.splitlines() if line.split()[:2] == ["lora", "connector"])
    assert line.split()[2:] == ["+2.00", "2.00", "to", "2.00", "<", "0.001", "<", "0.001", "better"]
    assert max(map(len, text.splitlines())) <= 110
    assert vltune("rate", "--score", *files, "--format", "markdown") == (0, "")
    assert "## correctness: mean rating\n\n| method" in capsys.readouterr().out


def test_the_metric_of_a_caption_is_that_of_its_method_and_image(made: Key) -> None:
    scores, missing = rating_results.metric_scores(made, Path())
    assert missing == []
    assert list(scores) == ["CIDEr", "BLEU-4", "METEOR", "ROUGE-L"]
    by_method = {method: read_json(paths.result(method, "caption", 0))["per_image"] for method in METHODS}
    for row, score in zip(made.rows, scores["CIDEr"], strict=True):
        if row.methods == [REFERENCE]:
            assert np.isnan(score)
        else:
            method = next(name for name in row.methods if name != REFERENCE)
            assert score == by_method[method]["CIDEr"][by_method[method]["images"].index(row.image_id)]


def test_changed_predictions_are_not_scored(made: Key) -> None:
    path = paths.predictions("lora", "caption", 0)
    write_json(path, [row | {"caption": "something else"} for row in read_json(path)])
    code, message = vltune("rate", "--score", answered(made, "anna"))
    assert code == 1
    assert f"{path}: is not the file whose captions were rated" in message


def test_missing_results_leave_out_the_metrics_alone(made: Key, capsys: pytest.CaptureFixture[str]) -> None:
    paths.result("lora", "caption", 0).unlink()
    code, message = vltune("rate", "--score", answered(made, "anna"))
    assert code == 1
    assert "lora/caption-0.json; make them" in message
    assert "detail: differences" in capsys.readouterr().out


def cell(row: int, column: int, value: str):
    def change(rows: list[list[str]]) -> None:
        rows[row][column] = value
    return change


def test_a_spreadsheet_may_use_other_separators_and_leave_empty_lines(made: Key) -> None:
    path = answered(made, "anna")
    rows = table(path)
    path.write_text("\n".join(";".join(row) for row in rows) + "\n;;;;;;\n", encoding="utf-8-sig")
    [answers] = rating_files.read_answers([path], made)
    assert answers.rater == "anna"


@pytest.mark.parametrize(("change", "message"), [
    (cell(3, 5, ""), "row 4 (image {image}, caption {letter}): correctness is empty, expected a whole "
                     "number from 1 to 5"),
    (cell(3, 6, "6"), "row 4 (image {image}, caption {letter}): detail is '6', expected"),
    (cell(3, 6, "2.5"), "detail is '2.5', expected"),
    (cell(3, 6, "good"), "detail is 'good', expected"),
    (cell(3, 3, "Z"), "row 4 (image {image}, caption Z): not on the sheet; "
                      "no row for image {image}, caption {letter}"),
    (lambda rows: rows.append(rows[3]), "(image {image}, caption {letter}): repeats row 4"),
    (lambda rows: rows.pop(3), "no row for image {image}, caption {letter}"),
    (cell(3, 0, "another"), "row 4: is of the sheet 'another', expected"),
    (cell(3, 1, "ben"), "expected one rater, found '', 'ben'"),
    (cell(0, 6, "details"), "'detail' is missing, found 'sheet,rater"),
    (lambda rows: rows.clear(), "'sheet' is missing, found ''"),
])
def test_entries_that_are_incomplete_or_wrong_are_refused(made: Key, change, message: str) -> None:
    path = answered(made, "anna", change)
    code, text = vltune("rate", "--score", path)
    row = made.rows[2]
    assert code == 1
    assert text.startswith(f"error: {path}: ")
    assert message.format(image=row.image, letter=row.letter) in text


def test_of_many_problems_the_first_are_listed(made: Key) -> None:
    path = answered(made, "anna", lambda rows: [row.__setitem__(5, "0") for row in rows[1:]])
    _, text = vltune("rate", "--score", path)
    assert text.count("correctness is '0'") == rating_files.SHOWN
    assert text.endswith(f"; and {len(made.rows) - rating_files.SHOWN} more")


def test_a_rater_counts_once(made: Key) -> None:
    first = answered(made, "anna")
    second = first.with_name("copy.csv")
    rows = table(first)
    with second.open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *([row[0], "anna", *row[2:]] for row in rows[1:])])
    assert f"{first} and {second} are both of the rater 'anna'" in vltune("rate", "--score", first, second)[1]


@pytest.mark.parametrize(("words", "message"), [
    (["--score"], "give the files of the raters"),
    (["--score", "nobody.csv"], "nobody.csv: no such file"),
    (["--score", "nobody.csv", "--key", "none.json"], "none.json: no such file"),
    (["--score", "nobody.csv", "--format", "html"], "unknown format 'html'"),
    (["one", "two"], "add --score"),
])
@pytest.mark.usefixtures("made")
def test_wrong_calls_say_what_to_change(words: list[str], message: str) -> None:
    code, text = vltune("rate", *words)
    assert code == 1
    assert message in text


def test_few_raters_are_pointed_out(made: Key) -> None:
    given = {scale: np.ones(len(made.rows)) for scale in SCALES}
    answers = [rating_files.Answers(name, given) for name in "ab"]
    for some, end in ((answers, "would rate."), (answers[:1], "over images alone.")):
        results_of = rating_results.measure(made, some, {}, 0.05)
        assert rating_results.notes(made, some, results_of)[1].endswith(end)


@pytest.mark.parametrize(("change", "message"), [
    ({"rows": []}, "expected a list 'rows'"), ({"predictions": ["lora"]}, "expected an object 'predictions'"),
])
def test_a_key_of_another_form_is_refused(made: Key, change: dict, message: str) -> None:
    write_json(KEY, made.content() | change)
    assert message in vltune("rate", "--score", "anna.csv")[1]


@pytest.mark.usefixtures("made")
def test_one_method_is_rated_beside_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune("rate", "one", "--method", "lora") == (0, "")
    path, key = Path("one/for_raters/ratings.csv"), read_key(Path("one/key.json"))
    path.write_text(path.read_text(encoding="utf-8").replace(",,\n", ",3,4\n"), encoding="utf-8")
    capsys.readouterr()
    assert vltune("rate", "--score", path, "--key", "one/key.json") == (0, "")
    text = capsys.readouterr().out
    assert f"{len(key.rows)} captions" in text
    assert "differences" not in text


@pytest.mark.usefixtures("made")
def test_a_second_run_with_other_images_is_refused() -> None:
    path = paths.predictions("full", "caption", 0)
    write_json(path, read_json(path)[1:])
    code, message = vltune("rate", "other")
    assert code == 1
    assert "lora and full are about other images" in message
