"""The table of scores by group of test images, as text and on the page."""

from __future__ import annotations

from types import SimpleNamespace

from vltune.comparison.estimates import Estimate
from vltune.comparison.groups import Group
from vltune.report import groups, text


def test_a_row_for_each_group_and_method_with_the_interval_of_the_first_metric() -> None:
    scores = {"CIDEr": {"lora": Estimate(1.5, None, 1.0, 2.0)},
              "truth": {"lora": Estimate(0.5, 0.1, 0.4, 0.6)}}
    comparison = SimpleNamespace(
        groups=[Group("unseen combinations", 250, scores)], methods=[SimpleNamespace(method="lora")])
    table = groups.table(comparison, ["CIDEr", "truth", "METEOR"], text.value, text.interval)
    assert table.to_dict("records") == [{
        "test images": "unseen combinations (250)", "method": "lora", "CIDEr": "1.500 (1.000 to 2.000)",
        "truth": "0.500 ± 0.100"}]
