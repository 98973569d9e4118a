"""`vltune plan`: from results and from typed spreads, its table, its picture and its errors; and the spreads
that it takes from a pilot."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import nct

from command import vltune
from results import IMAGES, write_run
from vltune.comparison import planning, scores, variance
from vltune.comparison.planning import Spreads

TYPED = ["--methods", 5, "--spread", 0.03, "--image-spread", 0.2, "--images", 500]


@pytest.fixture
def pilot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two seeds of two methods, whose trainings took 100 seconds."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(
        "methods:\n- lora\n- prefix\ntasks:\n- caption\nseeds:\n- 0\n- 1\n"
        "claims:\n  caption_metric: CIDEr\n  caption_margin: 0.05\n"
        "  vqa_metric:\n  vqa_margin:\n  pairs: []\n  seeds:\n"
    )
    for method in ("lora", "prefix"):
        for seed in (0, 1):
            write_run(method, seed, better=0.03 * seed * (method == "lora"))
    return tmp_path


def rows(out: str) -> list[list[float]]:
    """The rows of the table, which begin with a number of seeds."""
    lines = out.partition("established  ")[2].partition("\n\n")[0].splitlines()[1:]
    return [[float(x) for x in line.split()] for line in lines]


def test_from_typed_spreads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "plan.png"
    words = ["plan", *TYPED, "--margin", 0.1, "--seconds", 110, "--plot", plot, "--root", tmp_path]
    assert vltune(*words) == (0, "")
    out = capsys.readouterr().out
    table = rows(out)
    assert [row[0] for row in table] == [3, 4, 5, 6, 8, 10, 15, 20]
    assert table[0][3] == pytest.approx(5 * 3 * 110 / 3600, rel=0.01)
    assert all(before[i] > after[i] for before, after in pairwise(table) for i in (1, 2))
    assert all(row[2] > row[1] for row in table), "equivalence needs more than a difference"
    first = next(row for row in table if row[1] <= 0.1)
    assert f"A difference of 0.1 is established from {first[0]:g} seeds on ({first[3]:.3g} hours)" in out
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("pilot")
def test_from_a_pilot(capsys: pytest.CaptureFixture[str]) -> None:
    assert vltune("plan") == (0, "")
    out = capsys.readouterr().out
    assert out.startswith("caption (CIDEr)\n\nseeds  difference established  margin of equivalence  hours of")
    assert f"2 methods, {IMAGES} images; standard deviation over seeds 0.0" in out
    assert rows(out)[0][3] == pytest.approx(2 * 3 * 100 / 3600, rel=0.01)
    assert "A difference of 0.05 is established from " in out
    assert vltune("plan", "--margin", 1e-6) == (0, "")
    out = " ".join(capsys.readouterr().out.split())
    assert "by no number of seeds up to 200: more images are needed" in out
    assert vltune("plan", *TYPED) == (0, "")
    assert "5 methods, 500 images; standard deviation over seeds 0.03," in capsys.readouterr().out


@pytest.mark.usefixtures("pilot")
@pytest.mark.parametrize(("words", "message"), [
    (["--margin", 0], "--margin: expected a number above 0, got 0"),
    (["--image-spread", -1], "--image-spread: expected a number above 0, got -1"),
    (["--methods", 1], "--methods: expected 2 or more, got 1"),
    (["--plot", "plan.pdf"], "plan.pdf: expected a name that ends in .png"),
    (["--task", "vqa"], "unknown task 'vqa'; choose one of caption"),
    (["--root", "none"], "none/data/results: no results of a pilot; make them with `dvc repro`, or give"),
])
def test_what_is_wrong_is_named(words: list, message: str) -> None:
    code, told = vltune("plan", *words)
    assert code == 1
    assert message in told


@pytest.mark.usefixtures("pilot")
def test_one_seed_says_nothing_of_the_spread(capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("- 1\n", ""))
    code, told = vltune("plan")
    assert (code, "caption: the results have one seed of each method" in told) == (1, True)
    assert vltune("plan", "--spread", 0.1) == (0, "")
    assert "standard deviation over seeds 0.1" in capsys.readouterr().out


def test_the_spreads_of_a_pilot() -> None:
    rng, (methods, seeds, images) = np.random.default_rng(0), (4, 200, 300)
    values = 0.5 * rng.standard_normal((methods, seeds, 1)) + 2.0 * rng.standard_normal((1, seeds, 1))
    values = values + 0.3 * rng.standard_normal((methods, 1, images))
    values += rng.standard_normal(values.shape)
    found = planning.spreads(scores.means({f"m{i}": x for i, x in enumerate(values)}))
    assert found.seeds == pytest.approx(0.5, rel=0.08)
    assert found.images == pytest.approx(0.3 * 2**0.5, rel=0.08)
    assert found.runs == pytest.approx(2**0.5, rel=0.02)


def test_the_plan_of_two_methods_by_hand() -> None:
    """t(4) at 97.5 % is 2.7764; the error of 5 paired differences."""
    found = planning.decided(Spreads(0.03), 2, 5, 500, 0.05)
    error = 0.03 * (2 / 5) ** 0.5
    assert nct.sf(2.7764, 4, found.difference / error) == pytest.approx(0.8, abs=1e-3)
    assert nct.sf(2.7764, 4, found.margin / error) == pytest.approx(0.9, abs=1e-3)
    assert variance.freedom_of_equals(2, 5) == 4
    assert planning.needed(lambda seeds: seeds >= 17) == 17
    assert planning.needed(lambda seeds: seeds > planning.MOST_SEEDS) is None
