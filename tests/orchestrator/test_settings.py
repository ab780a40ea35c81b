"""The environment of the operator: what is taken, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import cli
from orchestrator.settings import Settings

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORCHESTRATOR_OUTPUT", "loud"),
        ("ORCHESTRATOR_PATIENCE_LOAD", "soon"),
        ("ORCHESTRATOR_PATIENCE_CONNECT", "0"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert cli.main(["status", "inventory.yaml"]) == 2
    assert f"the environment: {name}: Input should be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("ORCHESTRATOR_PATIENCE_LAOD", "perhaps ORCHESTRATOR_PATIENCE_LOAD; or leave it out"),
        ("ORCHESTRATOR_STAT", "perhaps ORCHESTRATOR_STATE; or leave it out"),
        ("ORCHESTRATOR_X", "leave it out; README.md names those that are"),
    ],
)
def test_a_misspelt_variable_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, name: str, cure: str
) -> None:
    monkeypatch.setenv(name, "60")
    assert cli.main(["status", "inventory.yaml"]) == 2
    assert f"the environment: {name} is no setting\n  next   {cure}" in capsys.readouterr().err


def test_a_tilde_that_no_shell_expanded_is_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_STATE", "~/state")
    monkeypatch.setenv("ORCHESTRATOR_SSH_CONFIG", "~/config")
    found = Settings()
    assert (found.state, found.ssh_config) == (tmp_path / "state", tmp_path / "config")


def test_the_environment_may_choose_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OUTPUT", "json")
    assert cli.main(["status", str(tmp_path / "missing.yaml")]) == 2
    assert json.loads(capsys.readouterr().out)["kind"] == "InventoryError"
