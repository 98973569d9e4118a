"""Large JSON files row by row: the same rows and the same bytes as the whole at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vltune.pipeline import rows
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.rows import read_rows, write_rows

CONTENT = {
    "info": {"year": 2014, "empty": [], "none": {}, "text": "é \u2028 \"quoted\" \\ \n"},
    "images": [{"id": 12345, "name": "a, b] }", "deep": [[1, [2.5, -3e5]], {}]}, {"id": 2}, None, 31415, "x"],
    "more": [[]], "annotations": [], "last": True,
}


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 20])
def test_rows_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(rows, "CHUNK", chunk)
    file = tmp_path / "a.json"
    for indent in (None, 1):
        file.write_text(json.dumps(CONTENT, indent=indent, ensure_ascii=False), encoding="utf-8")
        read = [*read_rows(file, ("images", "annotations", "more"), "lists")]
        expected = [(name, i, row) for name in ("images", "more") for i, row in enumerate(CONTENT[name])]
        assert read == expected


def test_rows_are_written_as_the_whole(tmp_path: Path) -> None:
    lists = {name: CONTENT[name] for name in ("images", "more", "annotations")}
    content = {name: CONTENT[name] for name in ("info", "last")}
    write_json(tmp_path / "whole.json", content | lists)
    write_rows(tmp_path / "rows.json", content, {name: iter(values) for name, values in lists.items()})
    assert (tmp_path / "rows.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


@pytest.mark.parametrize(("text", "message"), [
    ('{"images": 3}', "expected a form"), ('{"others": [1]}', "expected a form"), ("[1]", "expected a form"),
    ('{"images": [1], "images": 2}', "expected a form"),
    ('{"images": [1 2]}', "not valid JSON at line 1, column 15"),
    ('{"images": [1],}', "not valid JSON at line 1, column"),
    ('{"images": [1]} x', "not valid JSON at line 1, column 17"),
    ('{"images": [1]', "not valid JSON at line 1, column"), ("", "not valid JSON at line 1, column 1"),
    ('{"images": [' + "[" * 100_000, "nested too deeply"),
    ('{"images": [' + "1" * 5000 + "]}", "not valid JSON: Exceeds the limit"),
])
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(InputError, match=rf"a\.json: .*{message}"):
        [*read_rows(file, ("images",), "a form")]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"images": ["\xe9"]}')
    for name, message in (("latin.json", "expected UTF-8 text"), ("gone.json", "no such file"),
                          ("", "cannot be read")):
        with pytest.raises(InputError, match=message):
            [*read_rows(tmp_path / name, ("images",), "a form")]
