"""Our decoder against Hugging Face's transformers: the same weights give the same logits, texts and
tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import save_file

from vltune.model import families, loading
from vltune.model.loading import load_decoder, read_config
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.prediction.generate import generate

LLAMA = {
    "vocab_size": 101, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 48, "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 64,
}
GPT2 = {
    "vocab_size": 101, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64, "layer_norm_epsilon": 1e-5,
    "bos_token_id": 0, "eos_token_id": 0,
}


def llama(folder: Path) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**LLAMA, tie_word_embeddings=True, initializer_range=0.2)
    )
    tensors = {name: one.contiguous() for name, one in model.state_dict().items() if name != "lm_head.weight"}
    write(folder, tensors, LLAMA | {"model_type": "llama", "tie_word_embeddings": True})
    return model.eval()


def gpt2(folder: Path) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2, initializer_range=0.2))
    tensors = {name: one.contiguous() for name, one in model.state_dict().items() if name != "lm_head.weight"}
    write(folder, tensors, GPT2 | {"model_type": "gpt2"})
    return model.eval()


def write(folder: Path, tensors: dict[str, torch.Tensor], settings: dict) -> None:
    save_file(tensors, folder / "model.safetensors")
    write_json(folder / "config.json", settings)


@pytest.mark.parametrize("make", [llama, gpt2])
def test_logits_equal_the_reference(tmp_path: Path, make) -> None:
    reference = make(tmp_path)
    decoder = load_decoder(tmp_path)
    tokens = torch.randint(0, 101, (3, 17), generator=torch.Generator().manual_seed(1))
    mask = torch.ones(17, 17, dtype=torch.bool).tril().expand(3, 1, 17, 17)
    with torch.no_grad():
        ours = decoder.logits(
            decoder(decoder.embed(tokens, torch.float32), torch.arange(17).expand(3, 17), mask)
        )
        theirs = reference(tokens).logits
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize(("beams", "penalty"), [(1, 1.0), (3, 0.0), (3, 1.0)])
def test_texts_equal_the_reference(tmp_path: Path, make, beams: int, penalty: float) -> None:
    reference = make(tmp_path)
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


@pytest.mark.slow
def test_pretrained_logits_and_tokens_equal_transformers(pretrained: Path, gguf_file: Path) -> None:
    """The converted SmolLM2 against what transformers reads from the same GGUF file. Tolerance: 2e-3 on
    logits of up to 30."""
    from vltune.data.tokenizer import Tokenizer

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
    write_json(tmp_path / "config.json", LLAMA | {"model_type": "toy"})
    with pytest.raises(InputError, match="model_type is 'toy'; this decoder knows gpt2 and llama"):
        read_config(tmp_path / "config.json")
    (tmp_path / "toy.py").write_text(
        "from vltune.model.families.llama import COMPUTED, config, from_hugging_face, to_hugging_face\n")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    monkeypatch.setattr(loading, "FAMILIES", tmp_path)
    assert read_config(tmp_path / "config.json").width == LLAMA["hidden_size"]


@pytest.mark.parametrize(("model_type", "key", "value"), [
    ("llama", "rope_scaling", {"rope_type": "linear", "factor": 2.0}), ("llama", "hidden_act", "gelu"),
     ("llama", "attention_bias", True),
    ("llama", "mlp_bias", True), ("llama", "sliding_window", 128), ("llama", "rope_parameters",
     {"rope_type": "yarn", "rope_theta": 1e4}),
    ("llama", "tie_word_embeddings", False),
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
