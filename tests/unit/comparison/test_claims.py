"""What is declared before the results: the claims, their family, and what a table is with other seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vltune.comparison import scores, significance
from vltune.comparison.claims import NOTHING, Claims
from vltune.comparison.significance import Family
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import check

LEVEL = 0.05
GIVEN = {"caption_metric": "CIDEr", "caption_margin": 0.5, "vqa_metric": "accuracy", "vqa_margin": 0.05,
         "pairs": [], "seeds": 5}


def claims(**change: Any) -> Claims:
    return check(Claims, "claims", GIVEN | change)


def rows(family: Family | None) -> dict[str, significance.Row]:
    rng = np.random.default_rng(0)
    made = {name: mean + 0.1 * rng.standard_normal((3, 40)) for name, mean in zip("abc", (1, 0.96, 0.9),
                                                                                strict=True)}
    return {row.a + row.b: row for row in significance.compare(scores.means(made), LEVEL, None, family)}


def test_two_tasks_are_corrected_together() -> None:
    alone, both = rows(None), rows(Family([], 2))
    for pair, row in both.items():
        assert row.p_adjusted == pytest.approx(min(1, 2 * alone[pair].p_adjusted))
        assert row.high - row.low > alone[pair].high - alone[pair].low
        assert row.declared
        assert not alone[pair].declared
    assert rows(Family([], 1))["ab"].p_adjusted == alone["ab"].p_adjusted


def test_chosen_pairs_are_corrected_for_their_number_and_the_others_are_exploratory() -> None:
    alone, chosen = rows(None), rows(Family([("c", "a")], 2))
    assert [row.declared for row in chosen.values()] == [False, True, False]
    assert chosen["ac"].p_adjusted == pytest.approx(min(1, 2 * alone["ac"].p))
    assert chosen["ab"] == alone["ab"]
    level = chosen["ac"].p_adjusted
    assert (level <= LEVEL) == chosen["ac"].established


def test_the_family_of_a_metric() -> None:
    both = ["caption", "vqa"]
    assert claims().family("vqa", "accuracy", both) == Family([], 2)
    assert claims().family("vqa", "accuracy", ["vqa"]) == Family([], 1)
    assert claims(caption_metric=None).family("vqa", "accuracy", both) == Family([], 1)
    assert claims().family("caption", "BLEU-4", both) is None
    assert claims(pairs=["lora-full"]).family("caption", "CIDEr", both) == Family([("lora", "full")], 2)
    assert NOTHING.family("caption", "CIDEr", both) is None
    assert (claims().margin("caption", "CIDEr"), claims().margin("caption", "BLEU-4")) == (0.5, None)


@pytest.mark.parametrize(("declared", "seeds", "stage"), [
    (5, 5, "declared"), (5, 3, "interim"), (3, 4, "exploratory"), (None, 3, "exploratory")])
def test_other_seeds_than_were_declared(declared: int | None, seeds: int, stage: str) -> None:
    assert claims(seeds=declared).stage(seeds) == stage


def test_the_hash_is_of_every_key() -> None:
    changes = [{}, {"seeds": 4}, {"pairs": ["lora-full"]}, {"vqa_margin": 0.04}, {"caption_metric": "METEOR"}]
    assert len({claims(**change).hash for change in changes}) == len(changes)


@pytest.mark.parametrize(("change", "message"), [
    ({"pairs": ["lora"]}, r"'claims\.pairs' = \['lora'\]: expected pairs of different methods"),
    ({"pairs": ["lora-lora"]}, "expected pairs of different methods"),
    ({"pairs": ["lora-full", "full-lora"]}, "each once"),
    ({"caption_metric": "accuracy"}, r"'claims\.caption_metric' = 'accuracy': expected a metric of the task"),
    ({"seeds": 0}, r"'claims\.seeds' = 0"), ({"vqa_margin": 0.0}, r"'claims\.vqa_margin' = 0\.0")])
def test_wrong_claims_are_named(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        claims(**change)
