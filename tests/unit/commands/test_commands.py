"""What the commands write: scores of other systems, merged decoders, PEFT folders there and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import repository
from command import vltune
from contracts.graph import ROOT
from vltune.commands import images, inference, merge, peft, score
from vltune.data.tokenizer import Tokenizer
from vltune.metrics import caption, vqa
from vltune.metrics.bootstrap import Evaluate
from vltune.model.families import gpt2
from vltune.model.loading import load_decoder
from vltune.model.projector import Kind
from vltune.model.tensors import read_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.params import load
from vltune.pipeline.paths import DECODER
from vltune.pipeline.questions import AnswerPrediction, Question, write_questions
from vltune.pipeline.records import Caption, Captions, Image, Prediction, read_captions, write_captions

SAID = {"003": "A red tent.", "001": "two dogs", "002": ""}
TRUE = {
    "003": ["a red tent", "the tent is red"], "001": ["two dogs", "dogs on a field"],
    "002": ["a blue car", "one car"],
}
GIVEN = [
    (11, 1, "count", "number", "2"), (12, 1, "colour", "other", "red"), (13, 2, "existence", "yes/no", "yes"),
]
ANSWERS = {11: "two", 12: "blue", 13: "Yes"}


@pytest.fixture(scope="module")
def root(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository.make(tmp_path_factory.mktemp("repository"), tiny)


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    """COCO captions of three images, in a folder of images."""
    pictures = [Image(int(name), f"val/{name}.png") for name in TRUE]
    texts = [(int(name), text) for name, group in TRUE.items() for text in group]
    write_captions(
        tmp_path / "captions.json",
        Captions(pictures, [Caption(i, image, text) for i, (image, text) in enumerate(texts)]), {},
    )
    repository.draw(tmp_path / "images/val", *(f"{name}.png" for name in TRUE))
    return tmp_path / "captions.json"


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """VQAv2 annotations of three questions about two images."""
    found = [
        Question(number, image, "?", kind, answer_type, ten(answer))
        for number, image, kind, answer_type, answer in GIVEN
    ]
    write_questions(tmp_path / "questions.json", tmp_path / "answers.json", found, {})
    repository.draw(tmp_path / "images", "01.png", "02.png")
    return tmp_path / "answers.json"


def ten(answer: str) -> list[str]:
    """Ten people's answers; one writes his number as a word."""
    return ["two" if answer == "2" else answer, *9 * [answer]]


def settings(root: Path) -> Evaluate:
    return load(Evaluate, "evaluate", root / "params.yaml")


@pytest.mark.parametrize("said", [
    SAID, {f"{name}.png": text for name, text in SAID.items()}, {f"val/{name}.png": text for name,
        text in SAID.items()},
    [{"image_id": int(name), "caption": text} for name, text in SAID.items()],
], ids=["stems", "names", "paths", "coco"])
def test_captions_are_read_in_every_form(captions: Path, said: object) -> None:
    assert score.caption_of(captions, said, read_captions(captions)) == {
        int(name): text for name, text in SAID.items()
    }


@pytest.mark.slow
def test_captions_are_scored_as_the_pipeline_does(root: Path, captions: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "p.json", SAID)
    score.main(tmp_path / "p.json", captions, captions.parent / "images", tmp_path / "s.json", root)
    rows = [Prediction(int(name), f"val/{name}.png", SAID[name], TRUE[name]) for name in sorted(TRUE)]
    expected, _ = caption.score(tmp_path, rows, [], settings(root))
    found = read_json(tmp_path / "s.json")
    assert found["images"] == 3
    assert found["metrics"] == expected["metrics"]
    assert set(found["metrics"]["CIDEr"]) == {"value", "low", "high"}
    assert found["diversity"] == {
        key: value for key, value in expected["diversity"].items() if key != "novel_share"
    }


def test_a_name_of_two_images_is_named(tmp_path: Path) -> None:
    twins = Captions([Image(1, "a/x.png"), Image(2, "b/x.png")], [Caption(1, 1, "one"), Caption(2, 2, "two")])
    assert score.caption_of(tmp_path, {"a/x.png": "one", "b/x.png": "two"}, twins) == {1: "one", 2: "two"}
    with pytest.raises(
        InputError, match="'x' may be image 1 or 2; give longer names, or COCO's result format"
    ):
        score.caption_of(tmp_path, {"x": "one"}, twins)
    with pytest.raises(InputError, match="id 1 stands 2 times in predictions"):
        score.caption_of(
            tmp_path, {"x": "one", "x.png": "one"}, Captions(twins.images[:1], twins.captions[:1])
        )


def test_answers_are_scored_as_the_pipeline_does(
    root: Path, annotations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(
        tmp_path / "p.json", [{"question_id": number, "answer": text} for number, text in ANSWERS.items()]
    )
    score.main(tmp_path / "p.json", annotations, annotations.parent / "images", None, root)
    found = json.loads(capsys.readouterr().out)
    rows = [AnswerPrediction(number, image, "", "?", kind, answer_type, ANSWERS[number], "", "", ten(answer))
            for number, image, kind, answer_type, answer in GIVEN]
    known = [Question(1, 1, "?", "count", "number", ["2"])]
    expected, _ = vqa.score(rows, known, settings(root))
    assert found == {
        "questions": 3, "images": 2, "metrics": expected["metrics"],
        "question_types": expected["question_types"],
    }
    assert found["metrics"]["other"]["value"] == 0.0


@pytest.mark.parametrize(("said", "message"), [
    ({"001": "a", "002": "b"}, r"do not match: 1 of 3 are missing: val/003\.png$"),
    (SAID | {"x": "a", "y": "b"}, r"do not match: 2 are left over: 'x', 'y'$"),
    ({}, r"3 of 3 are missing: val/003\.png, val/001\.png, val/002\.png"),
    (SAID | {f"x{i}": "a" for i in range(9)}, r"9 are left over: 'x0', 'x1', 'x2', 'x3', 'x4' and 4 more"),
    (SAID | {"001": 3}, "the caption of 1 must be text, found 3"),
    ("text", "expected an object {name: caption}, or a list of objects"),
    ([{"image_id": [1], "caption": "a"}], r"row \[0\] has image_id \[1\], expected a number or text"),
    ([{"image_id": 1}], r"row \[0\] has no 'caption'"),
    ([{"image_id": 1, "caption": "a"}] * 2, "id 1 stands 2 times in predictions"),
    ([{"question_id": 1, "answer": "a"}], r"captions\.json: annotations\[0\] has no 'question_id'"),
])
def test_captions_that_do_not_match_are_named(
    root: Path, captions: Path, tmp_path: Path, said: object, message: str
) -> None:
    write_json(tmp_path / "p.json", said)
    with pytest.raises(InputError, match=message):
        score.main(tmp_path / "p.json", captions, None, None, root)


@pytest.mark.parametrize(("change", "message"), [
    (lambda rows: rows[1:], "1 of 3 are missing: 11$"),
    (lambda rows: [*rows, {"question_id": 99, "answer": "a"}], "1 are left over: 99$"),
    (lambda rows: [*rows[1:], {"question_id": 11, "answer": None}],
     "the answer of 11 must be text, found None"),
    (lambda rows: rows * 2, "id 11 stands 2 times"),
])
def test_answers_that_do_not_match_are_named(
    root: Path, annotations: Path, tmp_path: Path, change, message: str
) -> None:
    write_json(
        tmp_path / "p.json",
        change([{"question_id": number, "answer": text} for number, text in ANSWERS.items()]),
    )
    with pytest.raises(InputError, match=message):
        score.main(tmp_path / "p.json", annotations, None, None, root)


def test_annotations_without_answers_and_images_that_are_not_there_are_named(
    root: Path, captions: Path, annotations: Path, tmp_path: Path
) -> None:
    write_json(tmp_path / "p.json", SAID)
    write_json(
        tmp_path / "a.json", [{"question_id": number, "answer": text} for number, text in ANSWERS.items()]
    )
    (tmp_path / "images/val/002.png").unlink()
    with pytest.raises(InputError, match=r"1 of 3 images of .*captions\.json are not there: val/002\.png"):
        score.main(tmp_path / "p.json", captions, tmp_path / "images", None, root)
    (tmp_path / "images/02.png").unlink()
    with pytest.raises(InputError, match=r"1 images of .*answers\.json are not there: 2$"):
        score.main(tmp_path / "a.json", annotations, tmp_path / "images", None, root)
    content = read_json(annotations)
    content["annotations"][1]["answers"] = []
    write_json(annotations, content)
    with pytest.raises(
        InputError, match=r"annotations\[1\] \(id 12\): expected a list of at least one answer, found \[\]"
    ):
        score.main(tmp_path / "a.json", annotations, None, None, root)
    write_json(annotations, {"annotations": []})
    with pytest.raises(InputError, match="expected VQAv2 annotations"):
        score.main(tmp_path / "a.json", annotations, None, None, root)


def test_images_are_found_by_list_name_and_number(tmp_path: Path) -> None:
    folder = repository.draw(tmp_path / "all", "COCO_val2014_000000000042.jpg", "7.png", "abc.png", "odd.png")
    (folder / "7.txt").write_text("beside an image")
    found = images.by_id(folder, [42, 7, "abc", "x", 99, 7], {"x": "odd.png"})
    assert {key: path.name for key, path in found.items()} == {
        42: "COCO_val2014_000000000042.jpg", 7: "7.png", "abc": "abc.png", "x": "odd.png"}
    repository.draw(folder, "other_42.png")
    with pytest.raises(
        InputError, match=r"COCO_val2014_000000000042\.jpg and .*other_42\.png both fit image 42"
    ):
        images.by_id(folder, [42], {})
    with pytest.raises(InputError, match="nowhere: no such folder"):
        images.by_id(tmp_path / "nowhere", [1], {})


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_merged_decoder_computes_the_same(
    root: Path, tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    merge.main(tmp_path / "merged", method, "caption", 0, root)
    said = json.loads(capsys.readouterr().out)
    assert said["precision"] == "float32"
    assert 0 <= said["largest_logit_difference"] < 1e-4 * said["largest_logit"]
    assert {file.name for file in (tmp_path / "merged").iterdir()} == {
        "model.safetensors", "projector.safetensors", "config.json", "tokenizer.json",
        "tokenizer_config.json",
    }
    vlm = inference.Base(root, "float32").vlm(method, "caption", 0)
    expected = merge.logits(vlm)
    vlm.decoder = load_decoder(tmp_path / "merged")  # it is a base like any other
    assert (merge.logits(vlm) - expected).abs().max() < 1e-4 * said["largest_logit"]
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "merged").iterdir()} == {0o644}
    assert Tokenizer(tmp_path / "merged").end == Tokenizer(root / DECODER).end
    projector = read_tensors(tmp_path / "merged/projector.safetensors")
    assert all(torch.equal(one, projector[name]) for name, one in vlm.projector.state_dict().items())


@pytest.mark.parametrize("projector", ["linear", "mlp"])
def test_runs_with_every_projector_are_captioned_merged_exported_and_imported(
    tiny: Path, tmp_path: Path, projector: Kind, monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "repository"
    (root / "data").mkdir(parents=True)
    (root / "data/base").symlink_to(tiny)
    (root / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    for name, method in (("lora", "lora"), ("aligned", "connector")):
        repository.write_run(root, name, method, "caption", 1, projector)
    picture = repository.draw(tmp_path / "images", "a.png") / "a.png"
    monkeypatch.chdir(root)
    assert vltune("caption", picture, tmp_path / "captions.json", "--method", "lora") == (0, "")
    assert set(read_json(tmp_path / "captions.json")) == {"a"}
    merge.main(tmp_path / "merged", "lora", "caption", 0, root)
    peft.export(tmp_path / "peft", "lora", "caption", 0, root)
    peft.import_folder(tmp_path / "peft", root / "models/again/caption-0", "caption", root)
    first, second = (
        read_tensors(root / "models" / name / "caption-0/model.safetensors") for name in ("lora", "again")
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert read_tensors(tmp_path / "merged/projector.safetensors").keys() == {
        name.removeprefix("projector.") for name in first if name.startswith("projector.")}


def test_names_of_gpt2_go_there_and_back() -> None:
    from vltune.model.decoder import Decoder, DecoderConfig

    shape = DecoderConfig(
        vocabulary=9, width=8, layers=2, heads=2, kv_heads=2, head_dim=4, mlp_width=12, norm_epsilon=1e-5,
        positions=5, rope_base=None, gated=False, rms=False, bias=True,
    )
    tensors = {name: torch.randn(one.shape) for name, one in Decoder(shape).state_dict().items()}
    theirs = gpt2.to_hugging_face(tensors)
    assert theirs["transformer.h.1.attn.c_attn.weight"].shape == (8, 24)
    back = gpt2.from_hugging_face(theirs)
    assert back.keys() == tensors.keys()
    assert all(torch.equal(one, tensors[name]) for name, one in back.items())


def test_what_was_exported_can_be_imported(root: Path, tmp_path: Path) -> None:
    peft.export(tmp_path / "peft", "lora", "caption", 0, root)
    peft.import_folder(tmp_path / "peft", root / "models/again/caption-0", "caption", root)
    first, second = (
        read_tensors(root / "models" / name / "caption-0/model.safetensors") for name in ("lora", "again")
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(one, second[name]) for name, one in first.items())
    base = inference.Base(root, "float32")
    assert torch.equal(
        merge.logits(base.vlm("again", "caption", 0)), merge.logits(base.vlm("lora", "caption", 0))
    )
    description = read_json(root / "models/again/caption-0/checkpoint.json")
    assert description["method"] == "again"
    assert description["trained_parameters"] == sum(
        one.numel() for name, one in first.items() if name.startswith("decoder.")
    )


def test_without_a_connector_that_of_the_start_is_taken(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peft.export(tmp_path / "peft", "lora", "vqa", 0, root)
    (tmp_path / "peft/projector.safetensors").unlink()
    (tmp_path / "peft/checkpoint.json").unlink()
    peft.import_folder(tmp_path / "peft", tmp_path / "out", "vqa", root)
    assert "has no projector.safetensors: the projector of " in capsys.readouterr().err
    start, out = (
        read_tensors(root / "models/aligned/vqa-0/model.safetensors"),
        read_tensors(tmp_path / "out/model.safetensors"),
    )
    assert all(torch.equal(one, out[name]) for name, one in start.items())


@pytest.mark.parametrize(("change", "message"), [
    ({"r": 3}, r"lora_A\.weight has shape \[2, 32\], expected \[3, 32\]"),
    ({"r": 0}, "key 'lora.rank' = 0"),
    ({"r": "2"}, "key 'lora.rank' = '2': input should be a valid integer"),
    ({"r": None}, "key 'lora.rank' = None"),
    ({"lora_alpha": "x"}, "lora_alpha is 'x', expected a number"),
    ({"target_modules": ["q_proj", "v_proj"]},
     r"tensor .*layers\.0\.mlp\.down_proj\.lora_A\.weight is left over"),
    ({"target_modules": ["q_proj", "k_proj", "v_proj", "down_proj"]},
     r"tensor .*layers\.0\.self_attn\.k_proj\.lora_A\.weight is missing"),
    ({"target_modules": ["q_proj", "c_attn"]},
     "target_modules holds 'c_attn'; this decoder has q_proj, k_proj"),
    ({"target_modules": "all-linear"}, "target_modules is 'all-linear', expected a list"),
    ({"target_modules": []}, r"target_modules is \[\], expected a list"),
    ({"peft_type": "PREFIX_TUNING"}, "peft_type is 'PREFIX_TUNING', expected 'LORA'"),
    ({"use_dora": True}, "tensor .*lora_magnitude_vector is missing"),
    ({"use_rslora": True}, "use_rslora = True is not supported"),
    ({"rank_pattern": {"q_proj": 4}}, r"rank_pattern = {'q_proj': 4} is not supported"),
    ({"bias": "all"}, "bias = 'all' is not supported"),
    ({"init_lora_weights": "pissa"}, "init_lora_weights = 'pissa' changes the base"),
])
def test_a_folder_that_does_not_fit_is_named(root: Path, tmp_path: Path, change: dict, message: str) -> None:
    peft.export(tmp_path / "peft", "lora", "caption", 0, root)
    path = tmp_path / "peft/adapter_config.json"
    write_json(path, read_json(path) | change)
    with pytest.raises(InputError, match=message):
        peft.import_folder(tmp_path / "peft", tmp_path / "out", "caption", root)
    assert not (tmp_path / "out").exists()


def test_missing_files_keys_and_another_base_are_named(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "peft"
    peft.export(folder, "lora", "caption", 0, root)

    def refused(message: str) -> None:
        with pytest.raises(InputError, match=message):
            peft.import_folder(folder, tmp_path / "out", "caption", root)

    description, adapter = read_json(folder / "checkpoint.json"), read_json(folder / "adapter_config.json")
    write_json(
        folder / "checkpoint.json", description | {"base": description["base"] | {"decoder": "1" * 64}}
    )
    refused("made for another base: decoder was '1{64}'")
    write_json(folder / "checkpoint.json", description)
    write_json(
        folder / "adapter_config.json", {key: value for key, value in adapter.items() if key != "lora_alpha"}
    )
    refused(r"adapter_config\.json: key 'lora_alpha' is missing")
    write_json(folder / "adapter_config.json", [adapter])
    refused("expected an object, found list")
    write_json(folder / "adapter_config.json", adapter)
    tensors = read_tensors(folder / "projector.safetensors")
    from safetensors.torch import save_file
    save_file(
        {name: one for name, one in tensors.items() if name != "position"}, folder / "projector.safetensors"
    )
    refused(r"projector\.safetensors: tensor position is missing")
    (folder / "adapter_model.safetensors").write_bytes(b"cut")
    refused(r"adapter_model\.safetensors: cannot be read as weights")
    (folder / "adapter_model.safetensors").unlink()
    refused(r"adapter_model\.safetensors: no such file")


def test_a_decoder_of_gpt2_cannot_be_exported(tmp_path: Path) -> None:
    write_json(
        tmp_path / DECODER / "config.json",
        {
            "model_type": "gpt2", "vocab_size": 9, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 5,
            "layer_norm_epsilon": 1e-5,
        },
    )
    with pytest.raises(InputError, match="only Llama- and Qwen3-style decoders are supported"):
        peft.exportable("lora", tmp_path, tmp_path)
