"""Changes: what is launched again, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.faults.breakages import cut, heal
from tests.scenarios.faults.case import Case

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

_RAYS = ["Start Ray on the head", "Start Ray on the workers"]
_VLLM = ["Launch vLLM"]
_ABOUT_VERSIONS = ("versions-required", "versions-known-bad")
_OTHER = {"NCCL_BUFFSIZE": "8388608"}


def raylets(case: Case) -> dict[str, list[int]]:
    return {host: case.hosts.pids(host, "raylet/raylet") for host in case.host_names}


def changed(case: Case, what: str, again: list[str], inventory: Path | None = None, *words: str) -> None:
    case.fault = what
    case.add_quiet_row("")
    assert case.repair(inventory, *words) == again


def test_the_inventory_changes(case: Case) -> None:
    """Ray stays for as long as nothing of it has changed."""
    for host in case.host_names:
        case.hosts.run(host, "cp", "-r", "/models/ernie-4.5-vl-tiny", "/models/another")
    case.up()
    before = raylets(case)
    changed(case, "nothing has changed", [])
    seeded = case.edited(lambda one: one["serve"]["arguments"].append("--seed=7"), "seeded")
    changed(case, "an argument of vLLM has changed", _VLLM, seeded)
    another = {"id": "/models/another", "served_name": "another"}
    changed(case, "another model", _VLLM, case.edited(lambda one: one["model"].update(another), "another"))
    changed(case, "as it was at first", _VLLM)
    changed(case, "nothing has changed, and `up --restart`", _VLLM, None, "--restart")
    assert raylets(case) == before
    changed(case, "nothing has changed, and `up --recreate`", [*_RAYS, *_VLLM], None, "--recreate")


def test_the_hosts_change(case: Case) -> None:
    """What Ray was launched with has changed."""
    case.up()
    other = case.edited(lambda one: one["environment"].update(_OTHER), "other")
    changed(case, "a variable of the environment of all hosts has changed", [*_RAYS, *_VLLM], other)
    for host in case.host_names:
        script = 'cd "$1" && mv torch-[0-9]*.dist-info torch-9.9.9.dist-info'
        case.hosts.run(host, "sh", "-c", script, "sh", case.site_packages)
    what = "torch has another version on both hosts, by what its metadata says"
    accepted = case.edited(skip, "accepted")
    changed(case, what, [*_RAYS, *_VLLM], accepted)


def skip(one: dict[str, Any]) -> None:
    """What a torch of that version would break is no matter here."""
    one["environment"].update(_OTHER)
    accept = [{"check": check, "reason": "a fault on purpose"} for check in _ABOUT_VERSIONS]
    one["preflight"] = {"accept": accept}


def alone(case: Case) -> Path:
    """An inventory of the head alone."""

    def change(one: dict[str, Any]) -> None:
        del one["hosts"][1]
        one["serve"]["tensor_parallel_size"] = 1

    return case.edited(change, "alone")


def test_hosts_come_and_go(case: Case) -> None:
    """One host serves alone, without Ray."""
    case.up(alone(case))
    changed(case, "a host is added to the inventory", [*_RAYS, *_VLLM])
    changed(case, "a host is removed from the inventory", _VLLM, alone(case))
    assert case.hosts.processes("node1") == {}
    case.add_outcome("nothing is left on the host that was removed")


def test_a_host_is_removed_that_is_lost(case: Case) -> None:
    """a host is removed from the inventory because it cannot be reached"""
    case.up()
    inventory = alone(case)
    cut(case.hosts, "node1")
    case.inject()
    done = case.operator.run("up", inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    (message,) = [one for one in case.operator.events(done, "host_said") if one["host"] == "node1"]
    case.add_message(message, "`up` announced without it")
    case.fault = "`down` while a host that was removed cannot be reached"
    case.injected_at = 0.0
    assert case.refused(7, "down", inventory).host == "node1"
    heal(case.hosts, "node1")
    case.operator.down()
    assert case.hosts.processes("node1") == {}
    case.add_outcome("`down` again once it answers")
