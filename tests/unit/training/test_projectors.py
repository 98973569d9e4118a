"""Every kind of projector with every start: it is written, trained by every method, and loaded again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import repository
import trainable
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.paths import DECODER, FEATURES
from vltune.prediction.answer import answer
from vltune.prediction.generate import generate
from vltune.prediction.predict import caption
from vltune.training import prefetch
from vltune.training.align import ProjectorSettings, write_start
from vltune.training.train import train_stage

CASES = [(name, start) for name in ("words", "linear", "mlp") for start in ("ridge", "random")]
TENSORS = {
    "words": {"norm", "word_head", "tag_head", "words", "position"}, "linear": {"last"},
    "mlp": {"first", "last"},
}


@pytest.fixture
def project(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny)
    return tmp_path


def start_of(
    name: str, start: str, prompt: str = "none", task: str = "caption", fusion: str = "tokens"
) -> Path:
    settings = ProjectorSettings(kind=name, start=start, fusion=fusion, prompt=prompt)
    write_start(task, trainable.ALIGN, settings)
    return paths.checkpoint(paths.START, task, 0)


def losses(method: str) -> list[float]:
    recipe = trainable.TRAIN.model_copy(update={"steps": 16, "checkpoint_seconds": 60.0})
    train_stage(method, trainable.settings_of(method), "caption", 0, recipe, None)
    table = paths.curve(method, "caption", 0).read_text().splitlines()
    return [float(line.split("\t")[2]) for line in table[1:]]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("name", "start"), CASES)
def test_every_kind_and_start_trains_and_is_loaded_again(name: str, start: str) -> None:
    description = read_json(start_of(name, start) / "checkpoint.json")
    texts = "captions" if start == "ridge" or name == "words" else None
    expected = {"kind": name, "start": start, "fusion": "tokens", "prompt": "none", "texts": texts}
    assert description["projector"] == expected
    loss = losses("connector")
    assert sum(loss[-4:]) < sum(loss[:4]) - 1
    folder, features = paths.checkpoint("connector", "caption", 0), Features(FEATURES, "val")
    assert read_json(folder / "checkpoint.json")["projector"] == description["projector"]
    vlm = checkpoint.load(folder, DECODER, checkpoint.base_of(DECODER, features.signature), torch.float32)
    parts = {key.split(".")[0] for key, _ in vlm.projector.named_parameters()}
    assert parts == TENSORS[name]
    taken = torch.from_numpy(features.take(features.ids))
    assert len(caption(vlm, taken, Tokenizer(DECODER), 2, 1.0, 5)) == len(features.ids)


@pytest.mark.slow
@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("method", [name for name in repository.SETTINGS if name != "connector"])
def test_every_method_trains_with_an_mlp(method: str) -> None:
    start_of("mlp", "ridge")
    loss = losses(method)
    assert sum(loss[-4:]) < sum(loss[:4]) - 1


@pytest.mark.usefixtures("project")
def test_a_random_map_needs_no_texts() -> None:
    for path in (paths.captions("train"), *paths.questions("train")):
        path.unlink()
    start_of("linear", "random")


def text_of(tokenizer: Tokenizer, ids: list[int]) -> str:
    return tokenizer._library.decode(ids, skip_special_tokens=False)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_the_chat_form_is_trained_and_used_again(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start_of("linear", "ridge", "chat", task)
    seen: list[list[list[int]]] = []
    real = prefetch.collate
    monkeypatch.setattr(prefetch, "collate", lambda rows, k: seen.append(rows) or real(rows, k))
    settings = trainable.settings_of("lora")
    train_stage("lora", settings, task, 0, trainable.TRAIN.model_copy(update={"steps": 2}), None)
    tokenizer, features = Tokenizer(DECODER), Features(FEATURES, "val")
    base = checkpoint.base_of(DECODER, features.signature)
    vlm = checkpoint.load(paths.checkpoint("lora", task, 0), DECODER, base, torch.float32)
    before, behind, suffix = (text_of(tokenizer, ids) for ids in vars(vlm.template).values())
    assert before == "<|im_start|>user\n"
    end = "<|im_end|>\n<|im_start|>assistant\n"
    prompts = {text_of(tokenizer, text.prompt) for rows in seen for row in rows for text in row}
    if task == "caption":
        assert (behind, suffix) == ("\nDescribe the image." + end, "")
        assert prompts == {""}
    else:
        assert (behind, suffix) == ("\n", end)
        assert prompts == {"what is it?" + end}
    taken = torch.from_numpy(features.take(features.ids))
    x = vlm.embed_images(taken)
    assert x.shape[1] == vlm.image_tokens == len(vlm.template.before) + 4 + len(vlm.template.behind)
    images = slice(vlm.image_positions.start, vlm.image_positions.stop)
    assert torch.equal(x[:, images], vlm.projector(taken))
    table = vlm.decoder.embedding.weight
    assert torch.equal(x[0, :images.start], table[list(vlm.template.before)])
    assert torch.equal(x[0, images.stop:], table[list(vlm.template.behind)])


@pytest.mark.usefixtures("project")
def test_an_answer_continues_the_chat_form() -> None:
    start_of("linear", "ridge", "chat", "vqa")
    features, tokenizer = Features(FEATURES, "val"), Tokenizer(DECODER)
    base = checkpoint.base_of(DECODER, features.signature)
    vlm = checkpoint.load(paths.checkpoint(paths.START, "vqa", 0), DECODER, base, torch.float32)
    taken = torch.from_numpy(features.take([0]))
    prompt = torch.tensor([[*tokenizer.encode("what is it?"), *vlm.template.suffix]])
    x = torch.cat((vlm.embed_images(taken), vlm.decoder.embed(prompt, torch.float32)), dim=1)
    expected = generate(vlm.decoder, x, torch.ones(x.shape[:2], dtype=torch.bool), tokenizer.end, 1, 1.0, 4)
    assert answer(vlm, taken, [["what is it?"]], tokenizer, 4) == [[tokenizer.decode(expected[0])]]


@pytest.mark.usefixtures("project")
def test_with_cross_attention_the_chat_form_follows_the_images() -> None:
    start_of("linear", "ridge", "chat", "caption", "cross")
    loss = losses("lora")
    assert sum(loss[-4:]) < sum(loss[:4]) - 1
    features = Features(FEATURES, "val")
    base = checkpoint.base_of(DECODER, features.signature)
    vlm = checkpoint.load(paths.checkpoint("lora", "caption", 0), DECODER, base, torch.float32)
    x = vlm.embed_images(torch.from_numpy(features.take([0])))
    ids = [*vlm.template.before, *vlm.template.behind]
    assert x.shape[1] == vlm.image_tokens == 4 + 1 + len(ids)
    assert torch.equal(x[0, 5:], vlm.decoder.embedding.weight[ids])
    assert vlm.image_positions == range(4)


@pytest.mark.usefixtures("project")
def test_a_decoder_without_a_chat_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tokenizer, "knows", lambda _, token: token != "<|im_end|>")
    with pytest.raises(InputError, match=r"projector\.prompt is chat, but .* has no token <\|im_end\|>"):
        start_of("linear", "ridge", "chat")
