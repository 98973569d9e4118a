"""Which model the speed is measured with when a method is merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from repository import make
from vltune.methods import checkpoint, interface
from vltune.model.loading import load_decoder
from vltune.pipeline import paths
from vltune.pipeline.files import read_json
from vltune.prediction import speed

PLAIN = {"connector", "full", "norm"}  # nothing is attached
MERGED = {"lora", "dora"}


@pytest.mark.parametrize("method", interface.names())
def test_a_merged_model_is_plain_and_the_attached_one_stays(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.chdir(make(tmp_path, tiny))
    folder = paths.checkpoint(method, "caption", 0)
    base = load_decoder(paths.DECODER)
    signature = read_json(folder / "checkpoint.json")["base"]

    def again() -> object:
        return checkpoint.onto(base, folder, signature, base.embedding.weight.dtype)

    vlm = again()
    names = set(vlm.decoder.state_dict())
    merged = speed.merged(vlm, base, again, folder)
    assert (merged is vlm) == (method in PLAIN)
    if method in MERGED:
        assert set(merged.decoder.state_dict()) == set(base.state_dict())
    assert set(vlm.decoder.state_dict()) == names
    asked = []
    timed = {"caption": lambda model: asked.append(model) or ["a", "b"]}
    speed.write(vlm, merged, timed, (method, "caption", 0))
    written = read_json(paths.speed(method, "caption", 0))
    assert written["texts"] == 2
    assert written["attached_per_second"] > 0
    assert (written["merged_per_second"] is None) == (merged is None)
    assert asked == [vlm] + [merged] * (merged not in (None, vlm))
