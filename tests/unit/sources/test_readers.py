"""Data sets that lie somewhere become data/raw; what is wrong with them is named by file and row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets import RULES, asked, convert, picture, write
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import check
from vltune.pipeline.questions import Question
from vltune.pipeline.records import SPLITS, read_captions
from vltune.sources import fetch as fetching
from vltune.sources import readers
from vltune.sources.fetch import Fetch, fetch

NAMES = {
    part: (f"v2_OpenEnded_mscoco_{part}_questions.json", f"v2_mscoco_{part}_annotations.json")
    for part in ("train2014", "val2014")
}


def coco(names: list[str], first: int = 0) -> dict[str, Any]:
    return {
        "images": [{"id": first + i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [
            {"id": 10 * first + i, "image_id": first + i // 2, "caption": f"caption {i} of {names[i // 2]}"}
            for i in range(2 * len(names))
        ],
    }


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with two images a split."""
    source = tmp_path / "own"
    for i, split in enumerate(SPLITS):
        names = [f"{split}{n}.jpg" for n in range(2)]
        for name in names:
            picture(source / "images" / split / name)
        write(source / f"captions_{split}.json", coco(names, 2 * i))
    return source


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The course's layout with nine images in val."""
    source = tmp_path / "hw3_data"
    for split, count in (("train", 3), ("val", 9)):
        names = [f"{split}-{n}.jpg" for n in range(count)]
        for name in names:
            picture(source / "images" / split / name)
        write(source / f"{split}.json", coco(names))
    return source


@pytest.fixture
def mscoco(tmp_path: Path) -> Path:
    """Four images in Karpathy's format, in COCO's folders."""
    source = tmp_path / "coco"
    rows = []
    for i, split in enumerate(("train", "restval", "val", "test")):
        place, name = ("train2014" if split == "train" else "val2014"), f"COCO_{i:012d}.jpg"
        picture(source / place / name)
        rows.append(
            {
                "filepath": place, "filename": name, "split": split, "imgid": i, "cocoid": 7 * i,
                "sentids": [i],
                "sentences": [{"raw": f"A  thing\n{i}.", "tokens": ["a", "thing"], "sentid": i, "imgid": i}],
            }
        )
    write(source / "dataset_coco.json", {"dataset": "coco", "images": rows})
    return source


def asking(rows: list[tuple[int, int | str, str, str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """VQAv2's two files for rows of question id, image id, question and answer."""
    questions = [{"question_id": n, "image_id": image, "question": text} for n, image, text, _ in rows]
    answers = [
        {
            "question_id": n, "image_id": image, "question_type": "what", "answer_type": "other",
            "multiple_choice_answer": said,
            "answers": [{"answer_id": i, "answer": said, "answer_confidence": "maybe"} for i in range(1, 11)],
        }
        for n, image, _, said in rows
    ]
    return {"questions": questions, "task_type": "Open-Ended"}, {"annotations": answers}


def ask(source: Path, split: str, rows: list[tuple[int, int | str, str, str]]) -> None:
    for name, content in zip(("questions", "answers"), asking(rows), strict=True):
        write(source / f"{name}_{split}.json", content)


@pytest.fixture
def vqa(mscoco: Path) -> Path:
    """Beside Karpathy's file the four of VQAv2: two questions about each image, and one about an image in no
    split."""
    for part, images in (("train2014", [0]), ("val2014", [7, 14, 21, 99])):
        rows = [
            (10 * image + n, image, f"What is  in {image}, {n}?", f"thing {image}")
            for image in images
            for n in range(2)
        ]
        for name, content in zip(NAMES[part], asking(rows), strict=True):
            write(mscoco / name, content)
    return mscoco


def test_a_folder_of_ones_own(own: Path, tmp_path: Path) -> None:
    convert("folder", own, tmp_path / "raw")
    for split in SPLITS:
        captions = read_captions(tmp_path / f"raw/captions_{split}.json")
        assert [len(texts) for texts in captions.by_image().values()] == [2, 2]
        assert all((tmp_path / "raw/images" / split / image.file_name).is_file() for image in captions.images)
    assert json.loads((tmp_path / "raw/SOURCE.json").read_text())["images"] == {
        "train": 2, "val": 2, "test": 2,
    }


def test_the_course(course: Path, tmp_path: Path) -> None:
    convert("hw3", course, tmp_path / "raw")
    found = {
        split: {image.file_name for image in read_captions(tmp_path / f"raw/captions_{split}.json").images}
        for split in SPLITS
    }
    assert len(found["train"]) == 3
    assert len(found["val"] | found["test"]) == 9
    assert found["val"]
    assert found["test"]
    assert not found["val"] & found["test"]


def test_karpathy_splits_of_coco(mscoco: Path, tmp_path: Path) -> None:
    convert("coco", mscoco, tmp_path / "raw")
    train = read_captions(tmp_path / "raw/captions_train.json")
    assert [image.file_name for image in train.images] == ["COCO_000000000000.jpg", "COCO_000000000001.jpg"]
    assert train.captions[0].caption == "A thing 0."
    assert len(read_captions(tmp_path / "raw/captions_test.json").images) == 1


def test_karpathy_splits_of_flickr30k(tmp_path: Path) -> None:
    rows = []
    for i, split in enumerate(SPLITS):
        picture(tmp_path / f"flickr/images/{i}.jpg")
        rows.append(
            {"filename": f"{i}.jpg", "split": split, "sentences": [{"raw": f"Two of {i}"}, {"raw": "Men."}]}
        )
    write(tmp_path / "flickr/dataset_flickr30k.json", {"images": rows})
    convert("flickr30k", tmp_path / "flickr", tmp_path / "raw")
    assert read_captions(tmp_path / "raw/captions_val.json").by_image() == {1: ["Two of 1", "Men."]}
    assert all(asked(tmp_path / "raw", split) == [] for split in SPLITS)


def test_questions_of_ones_own_and_none_for_a_split_that_has_no_files(own: Path, tmp_path: Path) -> None:
    ask(own, "train", [(5, 0, "What is  it?", "a cat"), (6, 0, "Where?", "here")])
    ask(own, "test", [(7, 5, "Who?", "nobody")])
    convert("folder", own, tmp_path / "raw")
    assert asked(tmp_path / "raw", "train") == [
        Question(5, 0, "What is it?", "what", "other", ["a cat"] * 10),
        Question(6, 0, "Where?", "what", "other", ["here"] * 10),
    ]
    assert asked(tmp_path / "raw", "val") == []
    assert [one.image_id for one in asked(tmp_path / "raw", "test")] == [5]
    assert json.loads((tmp_path / "raw/SOURCE.json").read_text())["questions"] == {
        "train": {"what": {"questions": 2, "most_frequent": "a cat", "share": 0.5}}, "val": {},
        "test": {"what": {"questions": 1, "most_frequent": "nobody", "share": 1.0}}}


def test_questions_of_vqav2_go_to_the_split_of_their_image(
    vqa: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    convert("coco", vqa, tmp_path / "raw")
    found = {
        split: [(one.id, one.image_id, one.question, one.answer) for one in asked(tmp_path / "raw", split)]
        for split in SPLITS
    }
    assert found == {  # restval, an image of COCO's val, is train
        "train": [(0, 0, "What is in 0, 0?", "thing 0"), (1, 0, "What is in 0, 1?", "thing 0"),
                  (70, 1, "What is in 7, 0?", "thing 7"), (71, 1, "What is in 7, 1?", "thing 7")],
        "val": [(140, 2, "What is in 14, 0?", "thing 14"), (141, 2, "What is in 14, 1?", "thing 14")],
        "test": [(210, 3, "What is in 21, 0?", "thing 21"), (211, 3, "What is in 21, 1?", "thing 21")]}
    assert (
        "VQAv2: 2 questions are about images that are in no split, and are left out"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("source", ["own", "course", "mscoco"])
def test_without_questions_the_files_are_there_and_empty(
    source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dataset = {"own": "folder", "course": "hw3", "mscoco": "coco"}[source]
    convert(dataset, request.getfixturevalue(source), tmp_path / "raw")
    assert all(asked(tmp_path / "raw", split) == [] for split in SPLITS)


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c["annotations"][1].update(image_id=77),
     r"captions_val\.json: annotations\[1\] \(id 21\) is for image 77, which is not"),
    (lambda c: c["annotations"][3].update(caption=" \n"),
     r"captions_val\.json: annotations\[3\] \(id 23, image 3\) has an empty caption"),
    (lambda c: c["annotations"][0].update(caption=5),
     r"annotations\[0\] \(id 20, image 2\) has the caption 5, expected a text"),
    (lambda c: c["annotations"][0].pop("image_id"),
     r"annotations\[0\] has no 'image_id'; it has id, caption"),
    (lambda c: c["annotations"][0].update(image_id=[2]),
     r"annotations\[0\] has image_id \[2\], expected a number or text"),
    (lambda c: c["images"][1].update(id=2), r"id 2 stands 2 times in images"),
    (lambda c: c.pop("annotations"),
     r"expected COCO caption format, an object with 'images' and 'annotations'"),
    (lambda c: c["images"].append({"id": 9, "file_name": "bare.jpg"}),
     r"images/val/bare\.jpg: no such image, but the data set names it \(image id 9\)"),
    (lambda c: c["images"][0].update(id=0) or [row.update(image_id=0) for row in c["annotations"][:2]],
     r"val0\.jpg: image 0 is in train and in val; splits must not share .*fetch\.shared_images"),
    (lambda c: c["images"][0].update(file_name="gone.jpg"),
     r"val/gone\.jpg: no such image, but the data set names it \(image id 2\)"),
])
def test_wrong_captions_are_named_and_the_old_data_stays(
    own: Path, tmp_path: Path, change, message: str
) -> None:
    convert("folder", own, tmp_path / "raw")
    before = sorted(tmp_path.joinpath("raw").rglob("*"))
    changed(own / "captions_val.json", change)
    with pytest.raises(InputError, match=message):
        convert("folder", own, tmp_path / "raw")
    assert sorted(tmp_path.joinpath("raw").rglob("*")) == before


def test_broken_and_missing_files_are_named(own: Path, tmp_path: Path) -> None:
    (own / "captions_test.json").write_text('{"images": [}')
    with pytest.raises(InputError, match=r"captions_test\.json: not valid JSON at line 1, column 13"):
        convert("folder", own, tmp_path / "raw")
    (own / "captions_test.json").unlink()
    with pytest.raises(InputError, match=r"captions_test\.json: no such file"):
        convert("folder", own, tmp_path / "raw")


@pytest.mark.parametrize(("name", "change", "message"), [
    ("questions", lambda c: c["questions"][1].update(image_id=0),
     r"questions_val\.json: questions\[1\] \(id 6\) is about image 0, which is not among the split's images"),
    ("questions", lambda c: c["questions"][0].update(question=" \n"),
     r"questions_val\.json: questions\[0\] \(id 5\) has an empty question"),
    ("questions", lambda c: c["questions"][0].pop("question"),
     r"questions_val\.json: questions\[0\] has no 'question'"),
    ("questions", lambda c: c.pop("questions"),
     r"questions_val\.json: expected VQAv2 format, an object with a list 'questions'"),
    ("answers", lambda c: c["annotations"].pop(1),
     r"questions\[1\] \(id 6\) has no answers in .*answers_val\.json"),
    ("answers", lambda c: c["annotations"][1].update(answers=[]),
     r"answers_val\.json: annotations\[1\]: expected a list of at least one"),
    ("answers", lambda c: c["annotations"][1]["answers"][2].update(answer=""),
     r"annotations\[1\]\.answers\[2\] is .*not empty"),
    ("answers", lambda c: c["annotations"][0].update(answer_type="word"),
     r"has answer_type 'word', expected one of yes/no, number, other"),
])
def test_wrong_questions_are_named_and_the_old_data_stays(
    own: Path, tmp_path: Path, name: str, change, message: str
) -> None:
    convert("folder", own, tmp_path / "raw")
    ask(own, "val", [(5, 2, "What is it?", "a cat"), (6, 3, "Where?", "here")])
    changed(own / f"{name}_val.json", change)
    with pytest.raises(InputError, match=message):
        convert("folder", own, tmp_path / "raw")
    assert asked(tmp_path / "raw", "val") == []


@pytest.mark.parametrize(("left", "missing"), [("questions", "answers"), ("answers", "questions")])
def test_questions_without_answers_and_answers_without_questions(
    own: Path, tmp_path: Path, left: str, missing: str
) -> None:
    ask(own, "test", [(5, 4, "What is it?", "a cat")])
    (own / f"{missing}_test.json").unlink()
    with pytest.raises(
        InputError, match=rf"{missing}_test\.json: no such file, but there is {left}_test\.json"
    ):
        convert("folder", own, tmp_path / "raw")


def test_questions_that_are_not_json(own: Path, tmp_path: Path) -> None:
    ask(own, "test", [(5, 4, "What is it?", "a cat")])
    (own / "questions_test.json").write_text('{"questions": [')
    with pytest.raises(InputError, match=r"questions_test\.json: not valid JSON at line 1, column 16"):
        convert("folder", own, tmp_path / "raw")


@pytest.mark.parametrize(("part", "which", "change", "message"), [
    ("train2014", 0, lambda c: c["questions"][1].update(question=""),
     r"train2014_questions\.json: questions\[1\] \(id 1\) has an empty question"),
    ("val2014", 1, lambda c: c["annotations"].pop(0),
     r"questions\[0\] \(id 70\) has no answers in .*val2014_annotations\.json"),
    ("val2014", 0, lambda c: c["questions"].pop(0), r"annotations\[0\] answers question 70, which is not in"),
])
def test_wrong_files_of_vqav2_are_named(
    vqa: Path, tmp_path: Path, part: str, which: int, change, message: str
) -> None:
    changed(vqa / NAMES[part][which], change)
    with pytest.raises(InputError, match=message):
        convert("coco", vqa, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_files_of_vqav2_that_are_missing_are_named_before_the_work_starts(vqa: Path, tmp_path: Path) -> None:
    (vqa / NAMES["val2014"][1]).unlink()
    with pytest.raises(
        InputError,
        match=r"v2_mscoco_val2014_annotations\.json: no such file; VQAv2 is .*, and only .* is there",
    ):
        convert("coco", vqa, tmp_path / "raw")


def test_images_of_coco_without_the_id_that_questions_name(vqa: Path, tmp_path: Path) -> None:
    changed(vqa / "dataset_coco.json", lambda c: c["images"][2].pop("cocoid"))
    with pytest.raises(InputError, match=r"dataset_coco\.json: images\[2\] has no 'cocoid'"):
        convert("coco", vqa, tmp_path / "raw")
    changed(vqa / "dataset_coco.json", lambda c: c["images"][2].update(cocoid=7))
    with pytest.raises(InputError, match=r"dataset_coco\.json: images\[2\]: cocoid 7 stands twice"):
        convert("coco", vqa, tmp_path / "raw")


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c["images"][2].update(split="dev"),
     r"dataset_coco\.json: images\[2\] has split 'dev', expected one of train, restval"),
    (lambda c: c["images"][1].update(sentences=[{"raw": " "}]),
     r"train: 1 of 2 images have no caption, the first is COCO_000000000001\.jpg; .*max_uncaptioned_share"),
    (lambda c: c["images"][0]["sentences"][0].pop("raw"), r"images\[0\]\.sentences\[0\] has no 'raw'"),
    (lambda c: c["images"][3].update(filename="x.jpg"),
     r"val2014/x\.jpg: no such image, but the data set names it"),
    (lambda c: c.pop("images"), r"expected Karpathy's format, an object with a list 'images'"),
])
def test_wrong_rows_of_karpathys_file_are_named(mscoco: Path, tmp_path: Path, change, message: str) -> None:
    changed(mscoco / "dataset_coco.json", change)
    with pytest.raises(InputError, match=message):
        convert("coco", mscoco, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_captions_of_the_course_for_images_that_are_not_there(course: Path, tmp_path: Path) -> None:
    (course / "images/val/val-4.jpg").unlink()
    with pytest.raises(
        InputError, match=r"images/val/val-4\.jpg: no such image, but the data set names it"
    ):
        convert("hw3", course, tmp_path / "raw")


def test_an_unknown_data_set_and_a_missing_folder_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"dataset": "cocoo", "path": None, "encoder": "tiny", "decoder": "tiny", **RULES}
    known = ", ".join(fetching.names())
    assert "coco, daquar" in known
    with pytest.raises(
        InputError,
        match=rf"'fetch\.dataset' = 'cocoo': expected one of {known} \(did you mean 'coco'\?\)",
    ):
        check(Fetch, "fetch", given, Path("params.yaml"))
    monkeypatch.chdir(tmp_path)
    settings = check(Fetch, "fetch", given | {"dataset": "coco", "path": "nowhere"}, Path("params.yaml"))
    with pytest.raises(
        InputError,
        match=r"'fetch\.path' = 'nowhere': expected the folder of the data set 'coco', an archive of it",
    ):
        fetch(settings, None)


def test_two_images_of_one_name_leave_the_users_files_alone(own: Path, tmp_path: Path) -> None:
    """The second one was once copied through the hard link into the first one's original."""
    captions = json.loads((own / "captions_train.json").read_text())
    captions["images"][1]["file_name"] = captions["images"][0]["file_name"]
    write(own / "captions_train.json", captions)
    before = {file: file.read_bytes() for file in own.rglob("*.jpg")}
    with pytest.raises(
        InputError,
        match=r"two images of the split have the file name 'train0\.jpg', the second is image id 1",
    ):
        convert("folder", own, tmp_path / "raw")
    assert {file: file.read_bytes() for file in own.rglob("*.jpg")} == before


@pytest.mark.parametrize("name", ["../val/val0.jpg", "/etc/hostname", "a/../../val/val0.jpg"])
def test_a_file_name_that_leads_out_of_the_folder_is_refused(own: Path, tmp_path: Path, name: str) -> None:
    captions = json.loads((own / "captions_train.json").read_text())
    captions["images"][0]["file_name"] = name
    write(own / "captions_train.json", captions)
    with pytest.raises(InputError, match=f"file name '{name}' .*leads out of the folder of images"):
        convert("folder", own, tmp_path / "raw")


@pytest.mark.parametrize("edition", ["", "hw3_data", "p2_data", "hw3_data/p2_data"])
def test_every_edition_of_the_course_is_found_with_or_without_caption_ids(
    course: Path, tmp_path: Path, edition: str
) -> None:
    for split in ("train", "val"):
        content = json.loads((course / f"{split}.json").read_text())
        write(course / f"{split}.json", content | {"annotations": [
            {key: value for key, value in row.items() if key != "id"} for row in content["annotations"]]})
    outer = tmp_path / "given"
    (outer / edition).parent.mkdir(parents=True, exist_ok=True)
    course.rename(outer / edition) if edition else course.rename(outer)
    convert("hw3", outer, tmp_path / "raw")
    assert len(read_captions(tmp_path / "raw/captions_train.json").images) == 3


def test_the_zip_of_a_data_set_is_unpacked(course: Path, tmp_path: Path) -> None:
    import shutil

    archive = shutil.make_archive(str(tmp_path / "hw3"), "zip", course.parent, course.name)
    convert("hw3", Path(archive), tmp_path / "raw")
    assert len(read_captions(tmp_path / "raw/captions_train.json").images) == 3


def test_a_new_reader_is_found_by_its_name(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "readers"
    folder.mkdir()
    monkeypatch.setattr(fetching, "READERS", folder)
    monkeypatch.setattr(readers, "__path__", [str(folder)])
    (folder / "toy.py").write_text(
        "def read(request):\n    request.folder.mkdir()\n"
        "    (request.folder / 'toy').write_text(request.dataset)\n")
    assert Fetch(dataset="toy", path=None, encoder="tiny", decoder="tiny", **RULES).dataset == "toy"
    convert("toy", own, tmp_path / "raw")
    assert (tmp_path / "raw/toy").read_text() == "toy"
