"""`vltune verify` on the tiny graph: a second `dvc repro --force` in a clone gives the same bytes."""

from __future__ import annotations

import re

from contracts.graph import ROOT
from pipeline.conftest import Project, stages_in
from vltune.pipeline.params import read


def test_made_again_in_a_clone_every_hash_is_the_same(whole: Project) -> None:
    path = f"PYTHONPATH={ROOT / 'src'}:{whole.java['PYTHONPATH']}"
    output = whole.run("env", path, "python", "-m", "vltune.cli", "verify")
    stages = len(read(whole.folder / "dvc.lock")["stages"])
    assert len(stages_in(output)) == stages
    assert re.search(rf"\d{{3,}} hashes of {stages} stages are equal", output)
    assert not whole.run("git", "status", "--porcelain")
