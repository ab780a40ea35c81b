"""Settings of this machine: environment variables, what each is where nobody sets it, and that it is heard."""

from __future__ import annotations

import pytest
from pydantic_settings import BaseSettings

from orchestrator.local.settings import Patience, Settings
from tests.public.golden import holds, recorded


def settings() -> dict[str, object]:
    """By variable, as they are now."""
    found: dict[str, object] = {}
    for kind in (Settings, Patience):
        now: BaseSettings = kind()
        for name, value in now:
            found[f"{kind.model_config['env_prefix']}{name}".upper()] = str(value) if name == "state" else value
    return found


def test_names_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_STATE", raising=False)
    monkeypatch.delenv("ORCHESTRATOR_OUTPUT", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/XDG_STATE_HOME")
    holds("settings", settings())


def test_each_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    known = recorded("settings")
    words = {name: "77" if isinstance(value, float) else "/elsewhere" for name, value in known.items()}
    words["ORCHESTRATOR_OUTPUT"] = "json"
    for name, word in words.items():
        monkeypatch.setenv(name, word)
    heard = settings()
    assert {name: str(heard[name]).removesuffix(".0") for name in known} == words
