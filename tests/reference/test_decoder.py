"""Our decoder against Hugging Face's transformers: the same weights give the same logits, texts and
tokens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch.nn import functional as F

from vltune.data.tokenizer import Tokenizer
from vltune.model import families, loading
from vltune.model.decoder import Decoder
from vltune.model.loading import load_decoder, read_config
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.prediction.generate import generate
from vltune.sources.pretrained import fetch_decoder

SIZES = {
    "vocab_size": 101, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 48, "rms_norm_eps": 1e-5, "max_position_embeddings": 64,
    "bos_token_id": 0, "eos_token_id": 0,
}
GPT2 = {
    "vocab_size": 101, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64, "layer_norm_epsilon": 1e-5,
    "bos_token_id": 0, "eos_token_id": 0,
}
# by family: the classes of transformers, and the sizes; a head of Qwen3 is not width / heads wide
FAMILIES = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM, SIZES),
    "gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel, GPT2),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM, SIZES | {
        "head_dim": 12, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}),
}
CASES = [(family, tied) for family in FAMILIES for tied in (True, False)]
IDS = [f"{family}-{'tied' if tied else 'untied'}" for family, tied in CASES]


def saved(
    folder: Path, family: str, tied: bool, noise: float = 0.05, **options: object
) -> transformers.PreTrainedModel:
    """A random model of a family, written by transformers."""
    torch.manual_seed(0)
    config, model, sizes = FAMILIES[family]
    reference = model(config(**sizes, tie_word_embeddings=tied, initializer_range=0.2)).eval()
    for parameter in reference.parameters():  # no bias and no scale stays as it begins
        parameter.data += noise * torch.randn(parameter.shape)
    reference.save_pretrained(folder, **options)
    return reference


def logits_of(decoder: Decoder, tokens: torch.Tensor) -> torch.Tensor:
    b, t = tokens.shape
    mask = torch.ones(t, t, dtype=torch.bool).tril().expand(b, 1, t, t)
    with torch.no_grad():
        x = decoder.embed(tokens, torch.float32)
        return decoder.logits(decoder(x, torch.arange(t).expand(b, t), mask))


@pytest.mark.parametrize(("family", "tied"), CASES, ids=IDS)
def test_logits_equal_the_reference(tmp_path: Path, family: str, tied: bool) -> None:
    reference = saved(tmp_path, family, tied)
    tokens = torch.randint(0, 101, (3, 17), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = reference(tokens).logits
    decoder = load_decoder(tmp_path)
    torch.testing.assert_close(logits_of(decoder, tokens), theirs, atol=5e-5, rtol=1e-4)
    assert decoder.config.parameters == sum(parameter.numel() for parameter in reference.parameters())


@pytest.mark.parametrize(("family", "tied"), CASES, ids=IDS)
def test_names_are_translated_back(tmp_path: Path, family: str, tied: bool) -> None:
    saved(tmp_path, family, tied)
    written = load_file(tmp_path / "model.safetensors")
    back = loading.family_of(tmp_path / "config.json").to_hugging_face(load_decoder(tmp_path).state_dict())
    assert set(back) == set(written)
    assert all(torch.equal(back[name], tensor) for name, tensor in written.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_equal_the_reference(tmp_path: Path, family: str) -> None:
    reference = saved(tmp_path, family, False)
    decoder = load_decoder(tmp_path)
    tokens = torch.randint(0, 101, (2, 9), generator=torch.Generator().manual_seed(3))
    mask = torch.ones(9, 9, dtype=torch.bool).tril().expand(2, 1, 9, 9)
    hidden = decoder(decoder.embed(tokens, torch.float32), torch.arange(9).expand(2, 9), mask)
    for logits in (decoder.logits(hidden), reference(tokens).logits):
        F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    gradients = {name: parameter.grad for name, parameter in decoder.named_parameters()}
    theirs = loading.family_of(tmp_path / "config.json").from_hugging_face(
        {name: parameter.grad for name, parameter in reference.named_parameters()})
    assert set(gradients) == set(theirs)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, theirs[name], atol=1e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("beams", "penalty"), [(1, 1.0), (3, 0.0), (3, 1.0)])
def test_texts_equal_the_reference(tmp_path: Path, family: str, beams: int, penalty: float) -> None:
    reference = saved(tmp_path, family, True, noise=0.0)
    decoder = load_decoder(tmp_path)
    tokens = torch.randint(3, 101, (4, 6), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        theirs = reference.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=10, num_beams=beams,
            do_sample=False, eos_token_id=1, pad_token_id=1, length_penalty=penalty,
        )
    ours = generate(
        decoder, decoder.embed(tokens, torch.float32), torch.ones(4, 6, dtype=torch.bool), end=1, beams=beams,
        length_penalty=penalty, max_new_tokens=10,
    )
    cut = [row[6:].tolist() for row in theirs]
    assert ours == [row[:row.index(1)] if 1 in row else row for row in cut]


TEXTS = [
    "The capital of France is Paris.", "Two mice, 1984 and 20%!\n\ttabs  and   spaces ", "",
    "na\u00efve caf\u00e9 \u00dcn\u00ef\u00e7\u00f6d\u00e9, cafe\u0301 with a combining accent",
    "\u65e5\u672c\u8a9e \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0627\u0644\u0639\u0631\u0628",
    "\U0001f42d\U0001f9c0 \U0001f469\u200d\U0001f52c flags \U0001f1eb\U0001f1f7",
    "x = {'a': [1, 2.5e-3]}  # it's I'LL we've\nif x:\n    return -1", "3.14159 1,000,000 007 \u00bd \u0663",
    " leading and trailing ", "\u00a0\u200b\ufeff odd white space\r\n",
]


@pytest.mark.parametrize("name", ["GPT2Tokenizer", "Qwen2Tokenizer", "LlamaTokenizer"])
def test_tokens_equal_the_reference(tmp_path: Path, name: str) -> None:
    """The families' tokenizers, trained on a few texts, as transformers writes and reads them."""
    words = [word for text in TEXTS for word in text.split()]
    trained = getattr(transformers, name)().train_new_from_iterator(words * 3, 420)
    trained.save_pretrained(tmp_path)
    write_json(tmp_path / "config.json", {"eos_token_id": trained.eos_token_id})
    theirs, ours = transformers.AutoTokenizer.from_pretrained(tmp_path), Tokenizer(tmp_path)
    expected = [theirs(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    assert [ours.encode(text) for text in TEXTS] == ours.encode_all(TEXTS) == expected
    assert max(map(len, expected)) > 15
    for ids in expected:
        text = theirs.decode([*ids, theirs.eos_token_id], skip_special_tokens=True)
        assert ours.decode([*ids, ours.end]) == " ".join(text.split())


@pytest.mark.parametrize("family", FAMILIES)
def test_shards_equal_the_reference(tiny: Path, tmp_path: Path, family: str) -> None:
    reference = saved(tmp_path / "shards", family, False, max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 2
    shutil.copyfile(tiny / "decoder/tokenizer.json", tmp_path / "shards/tokenizer.json")
    fetch_decoder(str(tmp_path / "shards"), tmp_path / "decoder", tmp_path)
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        theirs = reference(tokens).logits
    torch.testing.assert_close(
        logits_of(load_decoder(tmp_path / "decoder"), tokens), theirs, atol=5e-5, rtol=1e-4)


@pytest.mark.slow
def test_pretrained_logits_and_tokens_equal_transformers(pretrained: Path, gguf_file: Path) -> None:
    """The converted SmolLM2 against what transformers reads from the same GGUF file. Tolerance: 2e-3 on
    logits of up to 30."""
    reference = transformers.AutoModelForCausalLM.from_pretrained(
        gguf_file.parent, gguf_file=gguf_file.name
    ).eval()
    library = transformers.AutoTokenizer.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name)
    decoder, tokenizer = load_decoder(pretrained / "decoder"), Tokenizer(pretrained / "decoder")
    texts = [
        "The capital of France is", "Two mice, 1984 and 20%!\n\ttabs  spaces",
        "naïve café Ünïcödé 日本語 🐭🧀",
        "x = {'a': [1, 2]}", "",
    ]
    for text in texts:
        assert tokenizer.encode(text) == library(text, add_special_tokens=False)["input_ids"], text
    tokens = torch.tensor([tokenizer.encode(texts[0] + " a city that lies on the river")])
    t = tokens.shape[1]
    mask = torch.ones(t, t, dtype=torch.bool).tril()[None, None]
    with torch.no_grad():
        ours = decoder.logits(decoder(decoder.embed(tokens, torch.float32), torch.arange(t)[None], mask))
        torch.testing.assert_close(ours, reference(tokens).logits.float(), atol=2e-3, rtol=1e-3)
    start = torch.tensor([tokenizer.encode(texts[0])])
    said = generate(
        decoder, decoder.embed(start, torch.float32), torch.ones_like(start, dtype=torch.bool), tokenizer.end,
        1, 1.0, 3,
    )
    assert tokenizer.decode(said[0]).startswith("Paris")


def test_a_new_family_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "config.json", SIZES | {"model_type": "toy", "rope_theta": 1e4})
    with pytest.raises(InputError, match="model_type is 'toy'; this decoder knows gpt2 and llama and qwen3"):
        read_config(tmp_path / "config.json")
    (tmp_path / "toy.py").write_text(
        "from vltune.model.families.llama import COMPUTED, config, from_hugging_face, to_hugging_face\n")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    monkeypatch.setattr(loading, "FAMILIES", tmp_path)
    assert read_config(tmp_path / "config.json").width == SIZES["hidden_size"]


@pytest.mark.parametrize(("model_type", "key", "value"), [
    ("llama", "rope_scaling", {"rope_type": "linear", "factor": 2.0}), ("llama", "hidden_act", "gelu"),
     ("llama", "attention_bias", True),
    ("llama", "mlp_bias", True), ("llama", "sliding_window", 128), ("llama", "rope_parameters",
     {"rope_type": "yarn", "rope_theta": 1e4}),
    ("qwen3", "use_sliding_window", True), ("qwen3", "attention_bias", True),
    ("qwen3", "layer_types", ["full_attention", "sliding_attention"]),
    ("gpt2", "activation_function", "relu"), ("gpt2", "scale_attn_weights", False), ("gpt2",
     "scale_attn_by_inverse_layer_idx", True),
    ("gpt2", "add_cross_attention", True),
])
def test_what_changes_the_mathematics_is_refused(
    tmp_path: Path, model_type: str, key: str, value: object
) -> None:
    write_json(tmp_path / "config.json", {"model_type": model_type, key: value})
    with pytest.raises(InputError, match=f"{key}.* is .*, which this decoder does not compute; expected"):
        read_config(tmp_path / "config.json")
