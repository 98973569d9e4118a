"""The page: what it says, that it stands alone, and that it stays small."""

from __future__ import annotations

import json
import re
from collections import Counter
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest

from results import METHODS, TYPES, write_run
from vltune.comparison import runs
from vltune.comparison.compare import compare
from vltune.pipeline import paths
from vltune.report import cards, costs, page_tables, svg, tables
from vltune.report.answer import answer, most_trained
from vltune.report.cells import table
from vltune.report.page import Content, Report, write
from vltune.report.panels import front, hover
from vltune.report.report import report

BOTH = ["caption", "vqa"]


@pytest.fixture(scope="session")
def page(reported: Path) -> str:
    """The page without the white space between tags."""
    return re.sub(r">\s+<", "><", (reported / "plots/report.html").read_text())


def compared(tasks: list[str]) -> tuple[list, list]:
    collected = runs.collect(METHODS, tasks, [0])[0]
    return collected, compare(collected)


def parts(page: str, tag: str) -> list[str]:
    return re.findall(rf"<{tag}\b.*?</{tag}>", page, re.DOTALL)


def test_the_page_stands_alone_and_is_small(page: str) -> None:
    assert len(page.encode()) <= 1_000_000
    assert not re.search(r'\b(src|href)=(?!"(data:|#))', page)
    assert page.count("<script>") == page.count("</script>") == 1
    assert page.count("<img ") == page.count('alt="')
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    assert set(re.findall(r'(?:href="|url\()#([\w-]+)', page)) <= set(ids)


def test_the_answer_comes_first(page: str) -> None:
    first = page[:page.index("<h2>")]
    assert ("Compared with full, which trains 100\u202f% of the decoder and reaches CIDEr 2.440, the verdict "
            "is: run worse for ") in first
    assert "another seed may reverse them" in first
    labels = [re.search('aria-label="([^"]+)"', chart)[1] for chart in parts(first, "svg")]
    assert [label.partition(":")[0] for label in labels] == BOTH
    assert "Missing runs, left out: data/results/missing/caption-0.json" in first


def test_a_mark_of_a_chart_has_its_value(page: str) -> None:
    titles = re.findall(r"<title>([^<]+)</title>", page)
    assert any(re.fullmatch(r"lora: CIDEr 2\.350 \(2\.\d+ to 2\.\d+\)", text) for text in titles)
    assert any(re.fullmatch(r"lora: CIDEr 2\.350 \(.+\); 100 s", text) for text in titles)
    assert "lora: 0.91 % of the decoder is trained" in titles
    assert "lora: 1.08 % of decoder and projector together is trained" in titles
    assert "full, best of 2: 1.062 nats per token" in titles
    assert any(text.startswith("prefix, position: accuracy ") and "; blind " in text for text in titles)


def test_charts_have_the_colours_of_the_page(page: str) -> None:
    for chart in parts(page, "svg"):
        assert "var(--ink)" in chart
        assert "font-family" not in chart
        assert "<style" not in chart
        assert not re.search(r'="[^"]*\d\.\d{3,}', chart), "rounded"


def test_tables_and_settings_are_there(page: str) -> None:
    assert '<td>lora</td><td>learning_rate 0.002<small>trial 1, 60 steps</small></td>' in page
    assert re.search(r'data-order="0\.9\d+">0\.913<small>blind 0\.433</small>', page)
    assert page.count("<td>most frequent answer</td>") == 1
    assert "steps: 140" in page
    assert "predictions SHA-256" in page


def test_what_a_model_generates_is_escaped_and_a_missing_image_is_named(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("0001.png is missing") == 1


def test_a_card_has_every_method_and_the_blind_answers(page: str) -> None:
    shown = parts(page, "article")
    assert len(shown) == 60, "all fit"
    card = shown[3]
    scores = json.loads(unescape(re.search('data-scores="([^"]+)"', card)[1]))
    assert list(scores) == BOTH
    assert set(scores["caption"]) == {*METHODS, paths.START}
    assert card.count("blind: lora is blind") == len(TYPES)
    assert card.count('data-method="lora"') == 1 + len(TYPES)
    assert "right: right colour" in card


def test_the_gallery_fills_the_size_and_no_more() -> None:
    rows = [cards.Card(i, f"{i}.png") for i in range(100)]
    drawn = cards.fitting(rows, lambda card: f"{card.position:03}", 30)
    assert len(drawn) == 10
    assert drawn == sorted(drawn)
    gaps = [int(b) - int(a) for a, b in pairwise(drawn)]
    assert max(gaps) <= 3 * min(gaps), "evenly spread"
    assert cards.fitting(rows, str, -5) == []


@pytest.mark.usefixtures("workspace", "uncharted")
def test_a_page_too_small_for_all_images_has_some() -> None:
    content = Content(*compared(["caption"]), [], [], [], Path(), {})
    write(Path("page.html"), content, Report.model_construct(max_megabytes=0.1))
    assert 90_000 < Path("page.html").stat().st_size <= 100_000
    assert 10 < Path("page.html").read_text().count("<article") < 60


def test_a_chart_repeats_bit_for_bit() -> None:
    def drawn() -> str:
        return svg.chart("some", "line", 2, 2, lambda axes: hover(axes[0].plot([1, 2], [3, 4])[0], "<&>"))

    assert drawn() == drawn()
    assert "<title>&lt;&amp;&gt;</title>" in drawn()


def test_disagreement_leaves_the_start_out() -> None:
    card = cards.Card(0, "a.png", captions=[cards.Output("lora", "a", 2.0), cards.Output("full", "b", 3.5),
                                            cards.Output(paths.START, "", 0.0)])
    assert card.disagreement == {"caption": 0.75, "vqa": 0.0}
    assert card.scores == {"caption": {"lora": 2.0, "full": 3.5, paths.START: 0.0}}


def test_no_other_point_of_a_front_is_better_and_cheaper() -> None:
    assert front([3, 1, 2, 2, 4], [0.5, 0.2, 0.6, 0.4, 0.7]) == [(1, 0.2), (2, 0.6), (4, 0.7)]
    assert front([], []) == []


def test_an_empty_cell_stands_where_a_row_lacks_a_column() -> None:
    content = table([{"a": "1"}, {"b": "2", "a": "3"}])
    assert content.columns == ["a", "b"]
    assert [[cell.text for cell in row] for row in content.rows] == [["1", ""], ["3", "2"]]


@pytest.mark.usefixtures("both")
def test_shares_are_of_the_decoder_and_of_everything() -> None:
    _, [caption, _] = compared(BOTH)
    measured = costs.table(caption, runs.collect(METHODS, ["caption"], [0])[0]).set_index("method")
    decoder, projector = 134515008, 230976
    assert tables.decoder_parameters(caption.methods) == pytest.approx(decoder, abs=200)
    assert measured["everything_percent"]["lora"] == pytest.approx(
        100 * (0.0091 * decoder + projector) / (decoder + projector), rel=1e-5)
    assert measured["everything_percent"]["full"] == 100
    assert measured["everything_percent"]["connector"] > 0
    assert measured["everything_percent"][paths.START] == 0
    assert (measured["seconds"]["lora"], measured["memory_gb"]["lora"]) == (100.0, 2.1)
    assert measured["seconds"].isna()[paths.START]
    row = page_tables.main(caption, measured.reset_index()).rows[1]
    assert [cell.text for cell in row] == ["lora", "2.350", "0.91 %", "run worse"]
    assert row[2].small == "1.08 % with projector"
    assert row[3].order == pytest.approx(-0.09)
    assert row[3].small.startswith("-0.090, p\u00a0<\u00a00.001, ")
    assert row[3].small.endswith("exploratory"), "nothing was declared"


@pytest.mark.usefixtures("workspace")
def test_the_answer_of_a_method_alone_and_of_several_seeds() -> None:
    [alone] = compare(runs.collect(["lora"], ["caption"], [0])[0])
    assert answer(alone) == "lora reaches CIDEr 2.350; there is no other trained method to compare it with."
    for method in ("lora", "full"):
        for seed in (1, 2):
            write_run(method, seed=seed)
    [several] = compare(runs.collect(["lora", "full"], ["caption"], [0, 1, 2])[0])
    assert most_trained(several.methods).method == "full"
    assert answer(several) == (
        "Compared with full, which trains 100 % of the decoder and reaches CIDEr 2.450 ± 0.010, the verdict "
        "is: worse for lora (0.91 %).")


@pytest.mark.usefixtures("both", "uncharted")
def test_a_page_of_questions_alone() -> None:
    report(METHODS, ["vqa"], [0])
    page = Path("plots/report.html").read_text()
    assert len(parts(page, "article")) == 60
    assert page.count("right: right count") == 60
    assert "References" not in page
    assert 'id="diversity"' not in page
    assert "<b>Captions.</b>" not in page


@pytest.mark.usefixtures("workspace", "uncharted")
def test_a_page_of_several_seeds_shows_their_mean_and_the_first_one_s_captions() -> None:
    for method in METHODS:
        write_run(method, seed=1)
    for path in Path("data/predictions").glob("caption-full-*.json"):
        path.unlink()
    report(METHODS, ["caption"], [0, 1])
    page = Path("plots/report.html").read_text()
    assert "<td>lora<small>2 seeds</small></td>" in page
    assert 'data-order="2.355">2.355 ± 0.007<small>' in page
    assert page.count('<li data-method="lora">') == 60
    assert '<li data-method="full">' not in page, "no predictions, no line"
    assert "another seed may reverse them" in page
    assert 'id="types"' not in page
