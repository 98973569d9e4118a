"""The suite that every method must pass; a new method file is picked up by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import decoders
from vltune.methods import checkpoint, interface
from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.loading import load_decoder
from vltune.model.tensors import read_tensors
from vltune.model.vision_language import VisionLanguageModel
from vltune.model.word_projector import WordProjector
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.params import check, load, read
from vltune.prediction.generate import generate

RATES = {"learning_rate": 0.01, "projector_learning_rate": 0.01}
SETTINGS = {name: interface.method(name).TINY for name in interface.names()}
VARIANTS = [(name, {}) for name in interface.names()] + [("prefix", {"reparametrization": 6})]
IDS = [name + "".join(f"-{key}" for key in extra) for name, extra in VARIANTS]


@pytest.fixture(scope="session", params=decoders.CONFIGS)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random `decoder` of a family."""
    folder = tmp_path_factory.mktemp(request.param)
    decoders.write(folder / "decoder", request.param)
    return folder


def settings_of(name: str, extra: dict) -> interface.Method:
    return check(interface.method(name), name, RATES | SETTINGS[name] | extra)


def attached(base: Path, name: str, extra: dict, seed: int = 0) -> tuple[Decoder, list[str]]:
    decoder = load_decoder(base / "decoder")
    names = interface.attach(decoder, settings_of(name, extra), torch.Generator().manual_seed(seed))
    return decoder, names


def run(decoder: Decoder, tokens: torch.Tensor) -> torch.Tensor:
    x = decoder.prompt(decoder.embed(tokens, torch.float32))
    b, t = x.shape[:2]
    mask = torch.ones(t, t, dtype=torch.bool).tril().expand(b, 1, t, t)
    return decoder.logits(decoder(x, torch.arange(t).expand(b, t), mask)[:, t - tokens.shape[1]:])


TOKENS = torch.tensor([[5, 9, 3, 77, 20], [8, 8, 1, 40, 6]])


def two_steps(decoder: Decoder, names: list[str]) -> set[str]:
    """A forward without gradients, then two optimizer steps; which parameters have had a gradient that is not
    zero."""
    with torch.no_grad():
        run(decoder, TOKENS)
    parameters = dict(decoder.named_parameters())
    moved = set()
    optimizer = torch.optim.SGD([parameters[name] for name in names], lr=0.5) if names else None
    for _ in range(2):
        logits = run(decoder, TOKENS)
        if optimizer is None:
            break
        F.cross_entropy(logits[:, :-1].flatten(0, 1), TOKENS[:, 1:].flatten()).backward()
        moved |= {
            name
            for name in names
            if parameters[name].grad is not None and parameters[name].grad.abs().max() > 0
        }
        optimizer.step()
        optimizer.zero_grad()
    return moved


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_every_trained_parameter_gets_a_gradient(base: Path, name: str, extra: dict) -> None:
    decoder, names = attached(base, name, extra)
    assert two_steps(decoder, names) == set(names)


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_everything_else_stays_equal_to_the_bit(base: Path, name: str, extra: dict) -> None:
    decoder, names = attached(base, name, extra)
    before = {key: value.clone() for key, value in decoder.state_dict().items()}
    two_steps(decoder, names)
    for key, parameter in decoder.named_parameters():
        if key not in names:
            assert torch.equal(before[key], parameter), key
            assert parameter.grad is None, key
            assert not parameter.requires_grad, key


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_eval_changes_nothing_and_repeats(base: Path, name: str, extra: dict) -> None:
    decoder, _ = attached(base, name, extra)
    before = {key: value.clone() for key, value in decoder.state_dict().items()}
    assert decoder.eval() is decoder
    with torch.no_grad():
        assert torch.equal(run(decoder, TOKENS), run(decoder, TOKENS))
    assert all(torch.equal(before[key], value) for key, value in decoder.state_dict().items())


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_dropout_acts_in_training_alone(tiny: Path, name: str, extra: dict) -> None:
    dropped, plain = (attached(tiny, name, extra | {"dropout": rate}) for rate in (0.5, 0.0))
    assert dropped[1] == plain[1]
    assert not any(isinstance(module, torch.nn.Dropout) for module in plain[0].modules())
    for decoder, names in (dropped, plain):
        rng = torch.Generator().manual_seed(3)
        for parameter in interface.trained_parameters(decoder, names).values():  # A of LoRA acts through B
            parameter.data += 0.2 * torch.randn(parameter.shape, generator=rng)
    with torch.no_grad():
        first, second = (run(dropped[0].train(), TOKENS) for _ in range(2))
        assert not torch.allclose(first, second)
        expected = run(plain[0].train(), TOKENS)
        torch.testing.assert_close(run(dropped[0].eval(), TOKENS), expected)
        assert torch.equal(run(plain[0].train(), TOKENS), expected)


@pytest.mark.parametrize("name", interface.names())
def test_starts_as_the_base_model_if_it_says_so(base: Path, name: str) -> None:
    decoder, _ = attached(base, name, {})
    with torch.no_grad():
        same = torch.equal(run(decoder, TOKENS), run(load_decoder(base / "decoder"), TOKENS))
    assert same == interface.method(name).STARTS_AS_BASE


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_count_holds_for_every_family(base: Path, name: str, extra: dict) -> None:
    decoder, names = attached(base, name, extra)
    trained = interface.trained_parameters(decoder, names).values()
    assert settings_of(name, extra).count(decoder.config) == sum(parameter.numel() for parameter in trained)


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_count_is_the_number_of_trained_parameters(tiny: Path, name: str, extra: dict) -> None:
    """Expected is what the docstrings' formulas give by hand: 2 layers of width 32, MLP 64, 4 heads of 8, 2
    of keys."""
    decoder, names = attached(tiny, name, extra)
    counted = settings_of(name, extra).count(decoder.config)
    assert counted == sum(
        parameter.numel() for parameter in interface.trained_parameters(decoder, names).values()
    )
    expected = {
        "lora": 2 * 2 * (64 + 48 + 96), "adapter": 2 * 2 * (2 * 32 * 3 + 3 + 32), "prefix": 2 * 2 * 3 * 16,
        "connector": 0, "prefix-reparametrization": 2 * (3 * 6 + 6 * 6 + 6 + 7 * 2 * 16),
    }
    key = "-".join((name, *extra))
    expected |= {
        "ia3": 2 * (2 * 16 + 64), "norm": 2 * 2 * 32, "prompt": 3 * 32,
        "dora": expected["lora"] + 2 * (32 + 16 + 32),
    }
    assert counted == expected.get(key, counted)


LLAMA = {
    "vocabulary": 50, "width": 12, "layers": 3, "heads": 4, "kv_heads": 2, "head_dim": 5, "mlp_width": 20,
    "norm_epsilon": 1e-5, "positions": 64, "rope_base": 10000.0, "gated": True, "rms": True, "bias": False,
}


@pytest.mark.parametrize("change", [{}, {"rope_base": None, "gated": False, "rms": False, "bias": True},
    {"bias": True}, {"qk_norm": True, "tied": False}],
                         ids=["llama", "gpt2", "llama with bias", "qwen3"])
def test_the_shape_alone_gives_the_number_of_parameters(change: dict) -> None:
    config = DecoderConfig(**LLAMA | change)
    with torch.device("meta"):
        decoder = Decoder(config)
    assert config.parameters == sum(one.numel() for one in decoder.parameters())
    for site, size in config.linears.items():
        linear = getattr(decoder.blocks[0].attention, site, None) or getattr(decoder.blocks[0].mlp, site)
        assert size == (linear.in_features, linear.out_features)


def captioner_of(decoder: Decoder) -> VisionLanguageModel:
    projector = WordProjector(4, 5, decoder.config.width, 2, 1)
    torch.nn.init.normal_(projector.words.weight, generator=torch.Generator().manual_seed(1))
    return VisionLanguageModel(projector, decoder, torch.float32)


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_saved_and_loaded_it_computes_the_same(base: Path, tmp_path: Path, name: str, extra: dict) -> None:
    decoder, names = attached(base, name, extra)
    two_steps(decoder, names)
    vlm = captioner_of(decoder)
    with torch.no_grad():
        expected = run(decoder, TOKENS)
    names = settings_of(name, extra).fold(decoder, names)
    signature = {"tokens": 2, "width": 4}
    base_signature = checkpoint.base_of(base / "decoder", signature)
    description = {
        "method": name, "attach": name, "settings": RATES | SETTINGS[name] | extra, "base": base_signature}
    tensors = checkpoint.tensors_of(vlm, names)
    checkpoint.write(tmp_path, tensors, description)
    loaded = checkpoint.load(tmp_path, base / "decoder", base_signature, torch.float32)
    with torch.no_grad():
        assert torch.equal(run(loaded.decoder, TOKENS), expected)
    assert all(torch.equal(one, read_tensors(tmp_path / "model.safetensors")[key])
               for key, one in checkpoint.tensors_of(loaded, names).items())
    missing = {key: one for key, one in tensors.items() if key != min(tensors)}
    checkpoint.write(tmp_path, missing, description)
    with pytest.raises(InputError, match=f"tensor {min(tensors)} is missing"):
        checkpoint.load(tmp_path, base / "decoder", base_signature, torch.float32)
    checkpoint.write(tmp_path, tensors | {"decoder.odd": torch.zeros(1)}, description)
    with pytest.raises(InputError, match=r"tensor decoder\.odd is left over"):
        checkpoint.load(tmp_path, base / "decoder", base_signature, torch.float32)
    write_json(tmp_path / "checkpoint.json", description | {"base": base_signature | {"decoder": "another"}})
    with pytest.raises(InputError, match="made for another base: decoder was 'another'"):
        checkpoint.load(tmp_path, base / "decoder", base_signature, torch.float32)


@pytest.mark.parametrize("name", interface.names())
def test_unknown_and_missing_keys_are_named(name: str) -> None:
    kind = interface.method(name)
    good = RATES | SETTINGS[name]
    with pytest.raises(
        InputError, match=f"unknown key 'learning_rat' in section '{name}'.*did you mean 'learning_rate'"
    ):
        check(kind, name, good | {"learning_rat": 1})
    for key in good:
        with pytest.raises(InputError, match=f"key '{key}' is missing in section '{name}'"):
            check(kind, name, {k: v for k, v in good.items() if k != key})


@pytest.mark.parametrize("name", interface.names())
def test_section_of_params_yaml_is_exactly_its_fields(name: str) -> None:
    kind = interface.method(name)
    load(kind, name)
    assert set(read()[name]) == set(kind.model_fields)


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_the_seed_alone_gives_the_initial_weights(base: Path, name: str, extra: dict) -> None:
    first, names = attached(base, name, extra, seed=7)
    torch.manual_seed(123)
    torch.rand(5)
    second, _ = attached(base, name, extra, seed=7)
    other, _ = attached(base, name, extra, seed=8)
    tensors = [interface.trained_parameters(decoder, names) for decoder in (first, second, other)]
    assert all(torch.equal(tensors[0][key], tensors[1][key]) for key in names)
    if interface.method(name).RANDOM:
        assert any(not torch.equal(tensors[0][key], tensors[2][key]) for key in names)


@pytest.mark.parametrize(("name", "extra"), VARIANTS, ids=IDS)
def test_cache_and_batches_change_no_token(base: Path, name: str, extra: dict) -> None:
    decoder, names = attached(base, name, extra)
    two_steps(decoder, names)
    x = decoder.prompt(decoder.embed(torch.tensor([[5, 9, 3], [8, 8, 1], [60, 2, 7]]), torch.float32))
    valid = torch.ones(x.shape[:2], dtype=torch.bool)
    greedy = generate(decoder, x, valid, end=2, beams=1, length_penalty=1.0, max_new_tokens=6)
    for row in range(3):  # one by one, and by running everything again for each token, without a cache
        assert generate(decoder, x[row:row + 1], valid[:1], 2, 1, 1.0, 6) == [greedy[row]]
        text = x[row:row + 1]
        for token in greedy[row]:
            t = text.shape[1]
            with torch.no_grad():
                hidden = decoder(
                    text, torch.arange(t)[None], torch.ones(t, t, dtype=torch.bool).tril()[None, None]
                )
                assert decoder.logits(hidden)[0, -1].argmax() == token
            text = torch.cat((text, decoder.embed(torch.tensor([[token]]), torch.float32)), dim=1)
    beams = generate(decoder, x, valid, 2, 3, 1.0, 6)
    assert beams == [generate(decoder, x[row:row + 1], valid[:1], 2, 3, 1.0, 6)[0] for row in range(3)]


def test_unknown_method_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown method 'lroa'.*did you mean 'lora'"):
        interface.method("lroa")


def test_rates_of_a_task_are_taken() -> None:
    given = RATES | SETTINGS["lora"] | {"learning_rate": {"caption": 0.1, "vqa": 0.2}}
    lora = check(interface.method("lora"), "lora", given)
    assert [lora.of_task(task).learning_rate for task in ("caption", "vqa")] == [0.1, 0.2]
    assert lora.of_task("vqa").projector_learning_rate == 0.01
    alone = lora.model_copy(update={"learning_rate": {"vqa": 0.2}})
    with pytest.raises(InputError, match=r"lora\.learning_rate in params\.yaml has no rate for 'caption'"):
        alone.of_task("caption")
    with pytest.raises(InputError, match=r"has no rate for 'caption\+vqa'; it has one for vqa"):
        alone.of_task("caption+vqa")


def test_a_joint_training_has_its_own_rate_or_the_middle_one() -> None:
    """The middle of equal rates is the rate itself, to the last bit."""
    rates = {"learning_rate": {"caption": 0.1, "vqa": 0.001},
             "projector_learning_rate": {"caption": 0.0007, "vqa": 0.0007}}
    lora = check(interface.method("lora"), "lora", SETTINGS["lora"] | rates)
    assert lora.of_task("caption+vqa").learning_rate == pytest.approx(0.01)
    assert lora.of_task("caption+vqa").projector_learning_rate == 0.0007
    rates["learning_rate"]["caption+vqa"] = 0.03
    own = check(interface.method("lora"), "lora", SETTINGS["lora"] | rates)
    assert own.of_task("caption+vqa").learning_rate == 0.03


@pytest.mark.parametrize("rate", [-1, float("nan"), True, "0.1", None, {}, {"vqa": -1}, {"vqaa": 1}, [0.1]])
def test_wrong_rates_are_named(rate: object) -> None:
    with pytest.raises(InputError, match=r"'lora\.learning_rate' = .*expected a number >= 0, or a mapping"):
        check(interface.method("lora"), "lora", RATES | SETTINGS["lora"] | {"learning_rate": rate})
