"""Units as values: what identifies them, and what is sent to a host for them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from cluster.command import Command
from cluster.launch import unit
from cluster.launch.unit import Unit, folder_name
from cluster.values import Leftover, Presence, UnitState
from tests.cluster.builders import STATE, alive, dead, inventory

UNIT = Unit(
    cluster="demo",
    host="gpu-a",
    name="vllm",
    state=STATE,
    argv=("/opt/vllm/bin/vllm", "serve", "m"),
    env=(("A", "1"), ("B", "2")),
    secrets=(("HF_TOKEN", "hush"),),
    versions=(("ray", "2.60.0"),),
)


def sent(command: Command) -> dict[str, Any]:
    """The data on the last line of what a program reads."""
    data: dict[str, Any] = json.loads(command.stdin.splitlines()[-1])
    return data


def test_the_folder_is_short_and_one_of_its_own() -> None:
    names = {folder_name(cluster, host) for cluster in ("a", "b") for host in ("x", "y")}
    assert len(names) == 4
    assert {len(name) for name in names} == {8}
    assert UNIT.folder == f"{STATE}/vllm"


@pytest.mark.parametrize(
    "change",
    [
        {"argv": ("/opt/vllm/bin/vllm", "serve", "other")},
        {"env": (("A", "1"), ("B", "3"))},
        {"secrets": (("HF_TOKEN", "other"),)},
        {"versions": (("ray", "2.61.0"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_covers_what_decides(change: dict[str, Any]) -> None:
    other = dataclasses.replace(UNIT, **change)
    assert other.fingerprint != UNIT.fingerprint
    assert not other.runs(alive(UNIT))


def test_the_order_of_the_environment_decides_nothing() -> None:
    assert dataclasses.replace(UNIT, env=UNIT.env[::-1]).fingerprint == UNIT.fingerprint


@pytest.mark.parametrize(
    ("sighting", "runs"),
    [
        (alive(UNIT), True),
        (alive(UNIT, presence=Presence.DEAD), False),
        (dead(), False),
        (UnitState(presence=Presence.ABSENT), False),
    ],
)
def test_a_unit_runs_when_it_was_seen_alive(sighting: UnitState, runs: bool) -> None:
    assert UNIT.runs(sighting) is runs


def test_secrets_are_in_the_environment_but_not_in_the_record() -> None:
    command = unit.launch(UNIT, "/opt/vllm")
    data = sent(command)
    assert data["env"] == {"A": "1", "B": "2", "HF_TOKEN": "hush"}
    assert data["record"]["env"] == {"A": "1", "B": "2"}
    assert "hush" not in json.dumps(data["record"])
    assert "hush" not in repr(UNIT) + command.line() + command.shown()


def test_a_launch_is_the_same_each_time() -> None:
    assert unit.launch(UNIT, "/opt/vllm") == unit.launch(UNIT, "/opt/vllm")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("/var/tmp/o-0 belongs to another user", "another user"),
        ("keeper: No space left on device", "disk"),
        ("/x: Read-only file system", "read-only"),
        ("this unit already runs", "another launch"),
        ("/opt/vllm/bin/vllm: No such file or directory", "venv"),
    ],
)
def test_known_ways_for_a_launch_to_fail(said: str, cause: str) -> None:
    hint = next(hint for hint in unit.launch(UNIT, "/opt/vllm").hints if hint.fits(said))
    assert cause in hint.cause


def test_what_a_stop_could_not_end_is_left() -> None:
    probe = unit.stop("ray", inventory().head, STATE, "/opt/vllm")
    patience = dict(unit.STOP_TIMEOUTS)["ray"]
    assert sent(probe.command) == {"folder": f"{STATE}/ray", "patience": patience}
    assert probe.command.timeout > patience + 10
    assert probe.parse('{"left": []}') == unit.StopResult()
    assert probe.parse('{"left": [], "another": true}') == unit.StopResult(others=True)
    left = Leftover("gpu-a", "pid 7: raylet", "ssh 10.0.0.1 kill -9 7")
    assert probe.parse('{"left": [{"pid": 7, "command": "raylet"}]}') == unit.StopResult((left,))


def test_a_look_reads_on_from_the_last() -> None:
    probe = unit.status("vllm", STATE, "/opt/vllm", 17, "http://127.0.0.1:8000/health")
    assert sent(probe.command) == {
        "folder": f"{STATE}/vllm",
        "trees": [f"{STATE}/ray", f"{STATE}/vllm"],
        "offset": 17,
        "health": "http://127.0.0.1:8000/health",
    }
    state = {"presence": "dead", "status": 1, "lost": ["raylet"]}
    said = {**state, "offset": 20, "text": "bye", "read": 5, "health": 0}
    look = probe.parse(json.dumps(said))
    assert (look.presence, look.alive, look.status, look.text) == (Presence.DEAD, False, 1, "bye")
    assert look.lost == ("raylet",)


def test_a_sweep_names_the_folder_of_the_cluster() -> None:
    assert sent(unit.remove_state(STATE, "/opt/vllm")) == {"state": STATE}
