"""For all tests of the program: time does not pass while it waits."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tenacity import nap


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting looks again at once."""
    monkeypatch.setattr(nap, "time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture(autouse=True)
def nobodys_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes what this machine remembers."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    for name in ("ORCHESTRATOR_STATE", "ORCHESTRATOR_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
