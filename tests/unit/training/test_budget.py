"""A budget is solved for each method's size, and one that no size reaches is refused with those that are
near."""

from __future__ import annotations

from pathlib import Path

import pytest

import trainable
from vltune.methods import interface
from vltune.model.decoder import DecoderConfig
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import check, read
from vltune.training import budget as budgets
from vltune.training.budget import Budget
from vltune.training.train import train_stage

SMOLLM2 = DecoderConfig(
    vocabulary=49152, width=576, layers=30, heads=9, kv_heads=3, head_dim=64, mlp_width=1536,
    norm_epsilon=1e-5, positions=8192, rope_base=1e5, gated=True, rms=True, bias=False,
)
SIZED = [name for name in read()["methods"] if interface.method(name).SIZE]


def budget(**change: object) -> Budget:
    return check(
        Budget, "budget",
        {"trained_share": None, "trained_parameters": None, "course": None, "tolerance": 0.25} | change,
    )


def committed(method: str, **change: object) -> interface.Method:
    return check(interface.method(method), method, read()[method] | change)


def solved(method: str, wanted: Budget, **change: object) -> tuple[interface.Method, dict]:
    return budgets.solve(committed(method, **change), SMOLLM2, wanted)


def test_the_shape_is_that_of_the_default_decoder() -> None:
    assert SMOLLM2.parameters == 134_515_008


@pytest.mark.parametrize(("method", "size"), [("lora", {"rank": 2}), ("adapter", {"bottleneck": 9}),
    ("prefix", {"length": 58})])
def test_a_share_gives_the_nearest_size(method: str, size: dict) -> None:
    settings, record = solved(method, budget(trained_share=0.005))
    assert record["size"] == size
    assert record["target_parameters"] == 672_575
    assert record["parameters"] == settings.count(SMOLLM2)
    assert record["deviation"] == pytest.approx(record["parameters"] / 672_575 - 1, abs=1e-6)
    misses = [abs(settings.resized(size).count(SMOLLM2) - 672_575) for size in range(1, 200)]
    assert abs(record["parameters"] - 672_575) == min(misses)


@pytest.mark.parametrize("share", [0.001, 0.003, 0.01, 0.03])
@pytest.mark.parametrize("method", SIZED)
def test_the_sweep_of_the_readme_is_possible(method: str, share: float) -> None:
    change = {"targets": ["q", "v"]} if method == "lora" else {}
    assert abs(solved(method, budget(trained_share=share), **change)[1]["deviation"]) < 0.25


@pytest.mark.parametrize("method", SIZED)
def test_a_number_that_a_size_has_is_met_exactly(method: str) -> None:
    own = committed(method)
    count = own.count(SMOLLM2)
    settings, record = solved(method, budget(trained_parameters=count, tolerance=0.0))
    assert settings == own
    assert record["deviation"] == 0


def test_the_scale_of_lora_stays() -> None:
    settings, _ = solved("lora", budget(trained_share=0.03))
    assert settings.rank == 13
    assert settings.alpha / settings.rank == committed("lora").alpha / committed("lora").rank


def test_a_longer_reparametrised_prefix_counts_its_network() -> None:
    settings, record = solved("prefix", budget(trained_share=0.03), reparametrization=64)
    assert settings.length == 1647
    assert abs(record["deviation"]) < 0.001


@pytest.mark.parametrize("method", [name for name in interface.names() if name not in SIZED])
def test_methods_without_a_size_are_exempt(method: str) -> None:
    assert budgets.solve(committed(method), SMOLLM2, None) == (committed(method), None)


def test_no_budget_leaves_the_sizes_as_they_are() -> None:
    assert solved("lora", budget()) == (committed("lora"), None)


@pytest.mark.parametrize(("method", "change", "message"), [
    ("lora", {"trained_share": 0.001},
     r"lora cannot train 134,515 parameters within budget\.tolerance 0\.25: the nearest for lora\.rank "
                                       r"is 1 \(305,280 parameters, \+126\.9%\); change the budget"),
    ("adapter", {"trained_parameters": 138_000, "tolerance": 0.1},
     r"adapter\.bottleneck is 1 \(103,740 parameters, -24\.8%\) and 2 \(172,920 parameters, \+25\.3%\)"),
    ("prefix", {"trained_share": 0.9}, r"prefix\.length is 4095 \(47,174,400 parameters, -61\.0%\) and 4096"),
    ("lora", {"trained_share": 0.1, "trained_parameters": 5},
     r"both budget\.trained_share \(0\.1\) and budget\.trained_parameters \(5\)"),
])
def test_what_no_size_reaches_is_refused(method: str, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        solved(
            method, budget(**change),
            **({"targets": ["q", "k", "v", "o", "gate", "up", "down"]} if method == "lora" else {}),
        )


@pytest.mark.parametrize(("change", "message"), [
    ({"trained_share": 1.5}, r"'budget\.trained_share' = 1\.5"), ({"trained_share": 0.0},
     r"'budget\.trained_share' = 0\.0"),
    ({"trained_parameters": 0}, r"'budget\.trained_parameters' = 0"), ({"trained_parameters": 1.5},
     r"valid integer"),
])
def test_wrong_budgets_are_named(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        budget(**change)


def test_the_checkpoint_says_what_was_solved(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny)
    train_stage(
        "lora", trainable.settings_of("lora"), "caption", 0, trainable.TRAIN, budget(trained_parameters=2000)
    )
    found = read_json(paths.checkpoint("lora", "caption", 0) / "checkpoint.json")
    assert found["budget"]["size"] == {"rank": 5}
    assert found["settings"]["rank"] == 5
    assert found["settings"]["alpha"] == 10.0
    assert found["budget"]["parameters"] == found["trained_parameters"] == found["audit"]["formula"]
    assert found["projector_parameters"] > 0


@pytest.mark.parametrize(("year", "projector", "message"), [
    (2024, 9_999_000, r"budget\.course 2024 allows fewer than 10,000,000 together: change the projector"),
    (2023, 33_900_000, r"lora trains 1,221,120 parameters and the projector 33,900,000; budget\.course 2023 "
                       r"allows fewer than 35,000,000 together: change lora\.rank to 3 or less"),
])
def test_the_limit_of_the_course_counts_the_projector(year: int, projector: int, message: str) -> None:
    wanted = budget(course=year)
    with pytest.raises(InputError, match=message):
        budgets.check_course(committed("lora"), SMOLLM2, wanted, projector)
    budgets.check_course(committed("lora"), SMOLLM2, wanted, 1_255_774)
    budgets.check_course(committed("lora"), SMOLLM2, budget(), projector)
    with pytest.raises(InputError, match=r"'budget\.course' = 2022: input should be 2023, 2024 or 2025"):
        budget(course=2022)
