"""The command line: what it lists, how it ends, and what each wrong input is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import repository
from command import vltune
from contracts.graph import ROOT
from vltune.pipeline.files import read_json, write_json

COMMANDS = (
    "caption", "answer", "score", "compare", "merge", "export", "import", "search", "verify", "forget",
    "plan")


@pytest.fixture(scope="module")
def root(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = repository.make(tmp_path_factory.mktemp("repository"), tiny)
    repository.draw(root / "photos", "a.png", "b.jpg", "c.webp", "d.gif", "e.bmp")
    return root


def started(*words: str) -> subprocess.CompletedProcess:
    """Start it as a user does."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-m", "vltune.cli", *words], env=environment, capture_output=True, text=True,
        check=False,
    )


def imported_by(module: str) -> set[str]:
    """The modules that are in memory when one has been imported."""
    asked = f"import sys; import {module}; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return set(
        subprocess.run(
            [sys.executable, "-c", asked], env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.split()
    )


def test_help_lists_the_commands_and_is_quick() -> None:
    ended = started("--help")
    assert ended.returncode == 0
    listed = [
        line.split()[0]
        for line in ended.stdout.partition("Commands:")[2].splitlines()
        if line.startswith("  ")
    ]
    assert listed[:len(COMMANDS)] == list(COMMANDS)
    assert imported_by("vltune.cli").isdisjoint({"torch", "timm", "numpy", "pandas", "rich"})


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune(command, "--help") == (0, "")
    assert f"\n    vltune {command} " in capsys.readouterr().out


def test_captioning_imports_nothing_that_it_does_not_use() -> None:
    imported = imported_by("vltune.commands.caption")
    assert "timm" in imported
    assert imported.isdisjoint(
        {"onnx", "gguf", "pandas", "matplotlib", "dvc", "transformers", "peft", "scipy", "vltune.training"}
    )


def test_scoring_starts_without_torch() -> None:
    assert "torch" not in imported_by("vltune.commands.score")


def test_a_package_script_starts_it() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"vltune": "vltune.cli:main"}
    assert "typer" in project["dependencies"]


@pytest.mark.slow
def test_wrong_input_ends_without_a_traceback(tmp_path: Path) -> None:
    ended = started("caption", str(tmp_path), "--method", "lora", "--root", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == f"error: {tmp_path}: no images in it; found nothing\n"
    assert ended.stdout == ""


@pytest.mark.parametrize(("words", "message"), [
    (["caption", "photos", "--method", "lroa"], "unknown method 'lroa' (did you mean 'lora'?)"),
    (["caption", "photos", "--method", "lora", "--seed", "3"],
     "lora/caption-3: no such checkpoint; existing ones: adapter caption-0"),
    (["caption", "photos", "--method", "lora", "--seed", "3"], "`dvc repro train_lora`"),
    (["caption", "elsewhere", "--method", "lora"], "elsewhere: no such file or folder"),
    (["caption", "photos", "--method", "lora", "--beams", "0"],
     "--beams: key 'predict.beams' = 0: input should be greater than or equal to 1"),
    (["caption", "photos", "out.txt", "--method", "lora"], "out.txt: expected a name that ends in .json"),
    (["caption", "photos", "photos", "--method", "lora"], "photos: cannot be written, it is a folder"),
    (["caption", "photos", "params.yaml/x.json", "--method", "lora"], "x.json: cannot be written"),
    (["caption", "photos", "--method", "lora", "--root", "photos"],
     "lora/caption-0: no such checkpoint; existing ones: none"),
    (["answer", "--method", "lora"], "give an image and a question, or --questions FILE"),
    (["answer", "photos/a.png", "--method", "lora"], "give an image and a question"),
    (["answer", "photos/a.png", "why?", "--questions", "q.json", "--method", "lora"],
     "give either an image and a question, or"),
    (["answer", "photos/a.png", " ", "--method", "lora"], "the question is empty"),
    (["answer", "photos/z.png", "why?", "--method", "lora"], "z.png: no such file"),
    (["answer", "--questions", "q.json", "photos", "--method", "lora"],
     "photos: cannot be written, it is a folder"),
    (["answer", "--questions", "q.json", "--method", "lora"], "q.json: no such file"),
    (["merge", "photos", "--method", "lora"], "photos: is not empty, and nothing in it is overwritten"),
    (["merge", "params.yaml", "--method", "lora"], "params.yaml: cannot be written, it is a file"),
    (["merge", "params.yaml/new", "--method", "lora"], "new: cannot be written"),
    (["merge", "new", "--method", "lora", "--task", "captoin"],
     "unknown task 'captoin' (did you mean 'caption'?)"),
    (["merge", "new", "--method", "adapter"],
     "adapter cannot be merged: it adds tensors that no weight of the decoder can take up"),
    (["merge", "new", "--method", "prefix"],
     "prefix cannot be merged: it adds tensors that no weight of the decoder can take up"),
    (["merge", "new", "--method", "connector"],
     "nothing of the decoder was trained, so there is nothing to merge"),
    (["export", "new", "--method", "full"],
     "full has no form in Hugging Face's PEFT that computes the same; those that have one: dora, ia3, lora"),
    (["export", "photos", "--method", "lora"], "photos: is not empty"),
    (["import", "elsewhere", "new"], "adapter_config.json: no such file"),
    (["import", "elsewhere", "photos"], "photos: is not empty"),
    (["score", "p.json", "a.json"], "p.json: no such file"),
    (["score", "p.json", "a.json", "params.yaml/x.json"], "x.json: cannot be written"),
])
def test_wrong_input_is_named(
    words: list[str], message: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    code, said = vltune(*words)
    assert code == 1
    assert message in said
    assert not (root / "new").exists()


def test_an_unknown_option_and_a_missing_one_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune("caption", "x.png", "--metod", "lora")[0] == 2
    assert "--metod" in capsys.readouterr().err
    assert vltune("caption", "x.png")[0] == 2
    assert "--method" in capsys.readouterr().err


def test_images_of_all_kinds_are_captioned(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep/out.json"
    assert vltune("caption", root / "photos", out, "--method", "adapter", "--root", root) == (0, "")
    captions = read_json(out)
    assert list(captions) == ["a", "b", "c", "d", "e"]
    assert all(captions.values())
    wrote = capsys.readouterr()
    assert wrote.out == ""
    assert "5/5" in wrote.err  # progress
    assert vltune("caption", root / "photos/b.jpg", "--method", "adapter", "--root", root) == (0, "")
    wrote = capsys.readouterr()
    assert json.loads(wrote.out) == {"b": captions["b"]}
    assert wrote.err == ""


def test_unreadable_images_are_reported_and_left_out(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository.draw(tmp_path / "photos", "a.png", "z.png", "wide.png")
    (folder / "empty.jpg").touch()
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "text.jpeg").write_text("no image")
    (folder / "notes.txt").write_text("neither is this, and it does not say that it is")
    (folder / "without_ending").write_bytes((folder / "a.png").read_bytes())
    repository.Image.new("1", (200, 100)).save(folder / "wide.png")
    code, message = vltune("caption", folder, tmp_path / "out.json", "--method", "lora", "--root", root)
    assert code == 1
    assert (
        f"{folder}: 4 of 7 were left out, since their images cannot be read; the others are done" in message
    )
    assert list(read_json(tmp_path / "out.json")) == ["a", "without_ending", "z"]
    said = capsys.readouterr().err
    assert f"left out: {folder / 'empty.jpg'}: the file is empty (0 bytes)\n" in said
    assert f"left out: {folder / 'text.jpeg'}: UnidentifiedImageError: cannot identify image file" in said
    assert f"left out: {folder / 'cut.png'}: " in said
    assert (
        f"left out: {folder / 'wide.png'}: 200 x 100 pixels are more than preprocess.pixel_limit = 10000"
        in said
    )
    assert "notes.txt" not in said
    code, message = vltune(
        "caption", folder / "empty.jpg", tmp_path / "none.json", "--method", "lora", "--root", root
    )
    assert code == 1
    assert "the file is empty (0 bytes)" in capsys.readouterr().err
    assert not (tmp_path / "none.json").exists()


def test_folders_without_images_and_with_twins_are_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert vltune("caption", tmp_path, "--method", "lora", "--root", root) == (
        1, f"error: {tmp_path}: no images in it; found notes.txt",
    )
    folder = repository.draw(tmp_path / "photos", "a.png", "a.jpg")
    assert vltune("caption", folder, "--method", "lora", "--root", root) == (
        1,
        f"error: {folder / 'a.jpg'} and {folder / 'a.png'} have the same name without their extensions, "
        f"'a': rename one of them",
    )


def test_ctrl_c_leaves_what_is_done(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vltune.commands import answer, caption

    def third_time(work):
        calls = []

        def stopped(*given):
            calls.append(given)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return work(*given)
        return stopped

    given = ("--method", "lora", "--root", root)
    monkeypatch.setattr(caption, "generate_captions", third_time(caption.generate_captions))
    assert vltune("caption", root / "photos", tmp_path / "c.json", *given) == (130, "")
    assert list(read_json(tmp_path / "c.json")) == ["a", "b", "c", "d"]  # two batches of two
    assert f"stopped: 4 done, in {tmp_path / 'c.json'}\ninterrupted\n" in capsys.readouterr().err
    file = repository.questions(
        tmp_path / "q.json", *[(i, letter, "what is it?") for i, letter in enumerate("abcde")]
    )
    monkeypatch.setattr(answer, "generate_answers", third_time(answer.generate_answers))
    assert vltune(
        "answer", "--questions", file, tmp_path / "a.json", "--images", root / "photos", *given
    ) == (130, "")
    assert [row["question_id"] for row in read_json(tmp_path / "a.json")] == [0, 1, 2, 3]
    monkeypatch.setattr(caption, "generate_captions", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert vltune("caption", root / "photos", tmp_path / "none.json", *given) == (130, "")
    assert not (tmp_path / "none.json").exists()


def test_answers_to_a_question_and_to_a_file_agree(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository.draw(tmp_path / "photos", "COCO_val_000000000012.png", "000034.png", "x.png")
    names = [{"id": 9, "file_name": "x.png"}]
    rows = [(1, 12, "What is  it?"), (2, 34, "How many?"), (5, 9, "Where is it?"), (3, 12, "How many?")]
    file = repository.questions(tmp_path / "q.json", *rows, images=names)
    given = ("--images", folder, "--method", "adapter", "--root", root)
    assert vltune("answer", "--questions", file, tmp_path / "out.json", *given) == (0, "")
    answers = {row["question_id"]: row["answer"] for row in read_json(tmp_path / "out.json")}
    assert sorted(answers) == [1, 2, 3, 5]
    assert len(set(answers.values())) > 1
    capsys.readouterr()
    assert vltune("answer", folder / "x.png", "Where  is it?", "--method", "adapter", "--root", root) == (
        0, "",
    )
    assert capsys.readouterr().out == f"{answers[5]}\n"
    (folder / "x.png").write_bytes(b"")
    code, message = vltune("answer", "--questions", file, tmp_path / "rest.json", *given)
    assert (code, "1 of 4 were left out" in message) == (1, True)
    assert {row["question_id"]: row["answer"] for row in read_json(tmp_path / "rest.json")} == {
        i: answers[i] for i in (1, 2, 3)
    }
    assert vltune("answer", folder / "x.png", "Where?", "--method", "adapter", "--root", root) == (
        1, f"error: {folder / 'x.png'}: cannot be read as an image")


@pytest.mark.parametrize(("content", "message"), [
    ([], "q.json: expected VQAv2 format, an object with a list 'questions'"),
    ({"questions": []}, "q.json: there are no questions in it"),
    ({"questions": [{"question_id": 1, "image_id": "a"}]},
     "q.json: questions[0] has no 'question'; it has question_id, image_id"),
    ({"questions": [{"question_id": 1, "image_id": "a", "question": " "}]},
     "q.json: questions[0] (id 1) is empty: ' '"),
    ({"questions": [{"question_id": 1, "image_id": "a", "question": "a?"}, {"question_id": 7, "image_id": "w",
     "question": "b?"}]},
     "q.json: questions[1] (id 7) is about image 'w', which is not in "),
    ({"questions": [{"question_id": 1, "image_id": "a", "question": "a?"}] * 2},
     "q.json: id 1 stands 2 times in questions"),
    ({"questions": [{"question_id": 1, "image_id": ["a"], "question": "a?"}]},
     "has image_id ['a'], expected a number or text"),
    ({"questions": [{"question_id": 1, "image_id": "a", "question": "a?"}], "images": [{"id": "a",
     "file_name": "gone.png"}]},
     "questions[0] (id 1) is about image 'a', which is not in "),
])
def test_wrong_question_files_are_named(content: object, message: str, root: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "q.json", content)
    code, said = vltune(
        "answer", "--questions", tmp_path / "q.json", "--images", root / "photos", "--method", "lora",
        "--root", root,
    )
    assert code == 1
    assert message in said


def test_a_question_file_that_is_no_json_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text('{"questions": [}')
    assert vltune("answer", "--questions", tmp_path / "q.json", "--method", "lora", "--root", root) == (
        1, f"error: {tmp_path / 'q.json'}: not valid JSON at line 1, column 16: Expecting value")
