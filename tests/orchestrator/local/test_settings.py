"""The environment of the operator: what is taken, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli import cli
from orchestrator.local.settings import Settings, misspelt

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
    ("name", "near"),
    [
        ("ORCHESTRATOR_PATIENCE_LAOD", "ORCHESTRATOR_PATIENCE_LOAD"),
        ("ORCHESTRATOR_PATIENCE_TOKENS", "ORCHESTRATOR_PATIENCE_TOKEN"),
        ("ORCHESTRATOR_STAT", "ORCHESTRATOR_STATE"),
        ("ORCHESTRATOR_SSHCONFIG", "ORCHESTRATOR_SSH_CONFIG"),
    ],
)
def test_a_misspelt_variable_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, name: str, near: str
) -> None:
    monkeypatch.setenv(name, "60")
    assert cli.main(["status", "inventory.yaml"]) == 2
    assert f"the environment: {name} is not a setting\n  next   {near}? or leave it out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORCHESTRATOR_SERVICE_HOST", "10.0.0.1"),
        ("ORCHESTRATOR_PORT", "tcp://10.0.0.1:80"),
        ("ORCHESTRATOR_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("ORCHESTRATOR_API_KEY", "k"),
        ("ORCHESTRATOR_STAT", ""),
    ],
)
def test_what_may_be_somebody_elses_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert misspelt() == {}


def test_a_home_that_nobody_has(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE", "~nobody-of-this-name/state")
    assert cli.main(["status", "inventory.yaml"]) == 2
    assert "the environment: ORCHESTRATOR_STATE: " in capsys.readouterr().err


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
