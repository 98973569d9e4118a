"""Merged, exported and imported models against Hugging Face's transformers and peft: the same logits, the
same tokens."""

from __future__ import annotations

import shutil
from pathlib import Path

import peft
import pytest
import torch
import transformers

import decoders
import repository
from vltune.commands import inference, merge
from vltune.commands import peft as peft_command
from vltune.methods import interface
from vltune.model.loading import load_decoder
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.files import read_json
from vltune.pipeline.params import check
from vltune.pipeline.paths import DECODER, checkpoint
from vltune.prediction.generate import generate

# peft's use of transformers
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(scope="module")
def root(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository.make(tmp_path_factory.mktemp("repository"), tiny)


@pytest.fixture
def vlm(root: Path) -> VisionLanguageModel:
    return inference.Base(root, "float32").vlm("lora", "caption", 0)


def inputs(vocabulary: int) -> torch.Tensor:
    return torch.randint(vocabulary, (3, 11), generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def ours(vlm: VisionLanguageModel, tokens: torch.Tensor) -> torch.Tensor:
    decoder = vlm.decoder
    x = decoder.prompt(decoder.embed(tokens, torch.float32))
    b, t = x.shape[:2]
    mask = torch.ones(t, t, dtype=torch.bool).tril().expand(b, 1, t, t)
    return decoder.logits(decoder(x, torch.arange(t).expand(b, t), mask)[:, t - tokens.shape[1]:])


@torch.inference_mode()
def theirs(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    return model.eval()(input_ids=tokens).logits[:, -tokens.shape[1]:]  # without those of virtual tokens


def base_model(root: Path, folder: Path) -> transformers.PreTrainedModel:
    """The base as transformers loads it."""
    vlm = inference.Base(root, "float32").vlm("connector", "caption", 0)  # attaches nothing to the decoder
    merge.write(vlm, root / DECODER, folder)
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("method", ["lora", "full", "ia3", "norm", "dora"])
def test_transformers_loads_the_merged_decoder(root: Path, tmp_path: Path, method: str) -> None:
    merge.main(tmp_path / "merged", method, "caption", 0, root)
    model, said = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "merged", output_loading_info=True
    )
    assert not said["missing_keys"]
    assert not said["unexpected_keys"]
    vlm = inference.Base(root, "float32").vlm(method, "caption", 0)
    tokens = inputs(vlm.decoder.config.vocabulary)
    torch.testing.assert_close(theirs(model, tokens), ours(vlm, tokens), **TOLERANCE)
    bare = inference.Base(root, "float32").vlm("connector", "caption", 0)
    assert not torch.allclose(ours(bare, tokens), ours(vlm, tokens), atol=0.1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert tokenizer.encode("a red tent", add_special_tokens=False) == inference.Tokenizer(
        root / DECODER
    ).encode("a red tent")


def test_transformers_loads_a_merged_gpt2(tmp_path: Path) -> None:
    """Written from our names, with its fused and transposed linears, it is what it was."""
    from safetensors.torch import save_file

    from vltune.model.families.gpt2 import to_hugging_face
    from vltune.pipeline.files import write_json

    torch.manual_seed(0)
    sizes = {
        "vocab_size": 101, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64,
        "layer_norm_epsilon": 1e-5,
    }
    first = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, initializer_range=0.2))
    tensors = {name: one.contiguous() for name, one in first.state_dict().items() if name != "lm_head.weight"}
    for folder in ("given", "written"):
        (tmp_path / folder).mkdir()
        write_json(tmp_path / folder / "config.json", sizes | {"model_type": "gpt2"})
    save_file(tensors, tmp_path / "given/model.safetensors")
    written = to_hugging_face(load_decoder(tmp_path / "given").state_dict())
    save_file(
        {name: one.contiguous() for name, one in written.items()}, tmp_path / "written/model.safetensors",
        {"format": "pt"},
    )
    second = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "written")
    assert torch.equal(theirs(second, inputs(101)), theirs(first, inputs(101)))


def test_an_adapter_on_qwen3_is_exported_and_merged(tiny: Path, tmp_path: Path) -> None:
    """With an output layer of its own, and normalised queries and keys behind the adapted linears."""
    shutil.copytree(tiny, tmp_path / "bases")
    decoders.write(tmp_path / "bases/decoder", "qwen3")
    root = repository.make(tmp_path / "root", tmp_path / "bases")
    vlm = inference.Base(root, "float32").vlm("lora", "caption", 0)
    tokens = inputs(vlm.decoder.config.vocabulary)
    base = base_model(root, tmp_path / "base")
    before = theirs(base, tokens)
    peft_command.export(tmp_path / "adapter", "lora", "caption", 0, root)
    model = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")
    torch.testing.assert_close(theirs(model, tokens), ours(vlm, tokens), **TOLERANCE)
    assert not torch.allclose(theirs(model, tokens), before, atol=0.1)


EXPORTED = [name for name in interface.names() if interface.method(name).PEFT]


@pytest.mark.parametrize("method", EXPORTED)
def test_peft_loads_the_exported_adapter(root: Path, tmp_path: Path, method: str) -> None:
    peft_command.export(tmp_path / "adapter", method, "caption", 0, root)
    base = base_model(root, tmp_path / "base")
    vlm = inference.Base(root, "float32").vlm(method, "caption", 0)
    tokens = inputs(vlm.decoder.config.vocabulary)
    before = theirs(base, tokens)
    model = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")
    torch.testing.assert_close(theirs(model, tokens), ours(vlm, tokens), **TOLERANCE)
    assert not torch.allclose(theirs(model, tokens), before, atol=0.1)


@pytest.mark.parametrize("method", ["lora", "ia3", "dora"])
def test_merged_by_peft_and_here_the_weights_are_equal(root: Path, tmp_path: Path, method: str) -> None:
    peft_command.export(tmp_path / "adapter", method, "caption", 0, root)
    merged = peft.PeftModel.from_pretrained(
        base_model(root, tmp_path / "base"), tmp_path / "adapter"
    ).merge_and_unload()
    merge.main(tmp_path / "merged", method, "caption", 0, root)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    for (name, parameter), (_, other) in zip(
        merged.named_parameters(), again.named_parameters(), strict=True
    ):
        torch.testing.assert_close(parameter, other, msg=name, **TOLERANCE)


LINEARS = ["k_proj", "o_proj", "gate_proj"]
MADE_BY_PEFT = {
    "lora": (
        peft.LoraConfig(r=3, lora_alpha=7, lora_dropout=0.1, target_modules=LINEARS, task_type="CAUSAL_LM"),
        {"rank": 3, "alpha": 7.0, "dropout": 0.1, "targets": ["k", "o", "gate"]},
    ),
    "dora": (
        peft.LoraConfig(r=3, lora_alpha=7, use_dora=True, target_modules=LINEARS, task_type="CAUSAL_LM"),
        {"rank": 3, "alpha": 7.0, "dropout": 0.0, "targets": ["k", "o", "gate"]},
    ),
    "ia3": (
        peft.IA3Config(
            target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"],
            task_type="CAUSAL_LM",
        ),
        {},
    ),
    "prompt": (peft.PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"), {"length": 4}),
}


def adapter_of_peft(
    base: transformers.PreTrainedModel, made: peft.PeftConfig, folder: Path
) -> torch.nn.Module:
    """An adapter that peft made, moved off its start at random."""
    model = peft.get_peft_model(base, made)
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("method", MADE_BY_PEFT)
def test_an_adapter_of_peft_is_imported(root: Path, tmp_path: Path, method: str) -> None:
    made, expected = MADE_BY_PEFT[method]
    model = adapter_of_peft(base_model(root, tmp_path / "base"), made, tmp_path / "adapter")
    peft_command.import_folder(
        tmp_path / "adapter", root / checkpoint(f"their_{method}", "caption", 0), "caption", root
    )
    vlm = inference.Base(root, "float32").vlm(f"their_{method}", "caption", 0)
    tokens = inputs(vlm.decoder.config.vocabulary)
    torch.testing.assert_close(ours(vlm, tokens), theirs(model, tokens), **TOLERANCE)
    description = read_json(root / checkpoint(f"their_{method}", "caption", 0) / "checkpoint.json")
    assert description["attach"] == method
    assert {key: description["settings"][key] for key in expected} == expected


def test_every_form_of_peft_is_tried() -> None:
    assert set(MADE_BY_PEFT) == set(EXPORTED)


def greedy(vlm: VisionLanguageModel, features: torch.Tensor, end: int, length: int) -> list[list[int]]:
    x = vlm.embed_images(features)
    return generate(vlm.decoder, x, torch.ones(x.shape[:2], dtype=torch.bool), end, 1, 1.0, length)


def test_merged_and_unmerged_say_the_same(root: Path) -> None:
    base = inference.Base(root, "float32")
    vlm = base.vlm("lora", "caption", 0)
    features = torch.randn(100, 4, 64, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        before = greedy(vlm, features, base.tokenizer.end, 12)
    merge.merge(vlm, base, inference.find(root, "lora", "caption", 0))
    with torch.inference_mode():
        assert greedy(vlm, features, base.tokenizer.end, 12) == before
    assert len({tuple(row) for row in before}) > 20


@pytest.mark.slow
def test_merged_and_unmerged_say_the_same_with_the_real_decoder(pretrained: Path) -> None:
    """The largest difference of a logit, and the greedy tokens after 16 random prompts; the update is of the
    size of a training's."""
    decoder = load_decoder(pretrained / "decoder")
    settings = check(
        interface.method("lora"), "lora",
        repository.RATES | repository.SETTINGS["lora"] | {"rank": 8, "targets": ["q", "k", "v", "o"]},
    )
    names = interface.attach(decoder, settings, torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(1)
    for name, one in interface.trained_parameters(decoder, names).items():
        if name.endswith(".b"):
            one.data = 0.01 * torch.randn(one.shape, generator=rng)
    tokens = torch.randint(decoder.config.vocabulary, (16, 8), generator=rng)
    t = tokens.shape[1]

    @torch.inference_mode()
    def run() -> tuple[torch.Tensor, list[list[int]]]:
        x = decoder.embed(tokens, torch.float32)
        mask = torch.ones(t, t, dtype=torch.bool).tril().expand(16, 1, t, t)
        logits = decoder.logits(decoder(x, torch.arange(t).expand(16, t), mask))
        return logits, generate(decoder, x, torch.ones(16, t, dtype=torch.bool), 2, 1, 1.0, 12)

    before, said = run()
    settings.merge(decoder)
    after, again = run()
    assert (after - before).abs().max() < 1e-3
    assert again == said
