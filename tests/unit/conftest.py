"""Reports without what takes longest to draw, for tests of the rest."""

from __future__ import annotations

import pytest
from markupsafe import Markup


@pytest.fixture
def uncharted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the charts out, and out of the page."""
    from vltune.report import report, svg

    monkeypatch.setattr(report, "_draw", lambda *_: None)
    monkeypatch.setattr(svg, "chart", lambda *_: Markup())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the charts and the page, for tests of tables."""
    from vltune.report import report

    monkeypatch.setattr(report, "_draw", lambda *_: None)
    monkeypatch.setattr(report.pictures, "examples", lambda *_: None)
    monkeypatch.setattr(report.page, "write", lambda *_: None)
