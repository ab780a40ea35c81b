"""Changes: what is launched again, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.trouble import cut, heal

pytestmark = [pytest.mark.scenario, pytest.mark.fault]

_RAYS = ["Start Ray on the head", "Start Ray on the workers"]
_VLLM = ["Launch vLLM"]


def raylets(case: Case) -> dict[str, list[int]]:
    return {host: case.hosts.pids(host, "raylet/raylet") for host in case.names}


def test_nothing_has_changed(case: Case) -> None:
    """nothing has changed"""
    case.serve()
    case.quiet("")
    assert case.mends() == []


def test_an_argument_has_changed(case: Case) -> None:
    """an argument of vLLM has changed"""
    case.serve()
    before = raylets(case)
    case.quiet("")
    assert case.mends(case.edited(lambda one: one["serve"]["arguments"].append("--seed=7"))) == _VLLM
    assert raylets(case) == before


def test_another_model(case: Case) -> None:
    """another model"""
    for host in case.names:
        case.hosts.run(host, "cp", "-r", "/models/ernie-4.5-vl-tiny", "/models/another")
    case.serve()
    before = raylets(case)
    case.quiet("")
    another = {"id": "/models/another", "served_name": "another"}
    assert case.mends(case.edited(lambda one: one["model"].update(another))) == _VLLM
    assert raylets(case) == before


def test_the_environment_has_changed(case: Case) -> None:
    """a variable of the environment of all hosts has changed"""
    case.serve()
    case.quiet("")
    assert case.mends(case.edited(lambda one: one["environment"].update(NCCL_IB_HCA="mlx5_2"))) == [*_RAYS, *_VLLM]


def test_versions_have_changed(case: Case) -> None:
    """torch has another version on both hosts, by what its metadata says"""
    case.serve()
    case.quiet("")
    for host in case.names:
        script = 'cd "$1" && mv torch-[0-9]*.dist-info torch-9.9.9.dist-info'
        case.hosts.run(host, "sh", "-c", script, "sh", case.packages)
    assert case.mends() == [*_RAYS, *_VLLM]


@pytest.mark.parametrize(("word", "again"), [("--restart", _VLLM), ("--recreate", [*_RAYS, *_VLLM])])
def test_anew_on_purpose(case: Case, word: str, again: list[str]) -> None:
    """nothing has changed, and `up {word}`"""
    case.serve()
    case.quiet("")
    assert case.mends(None, word) == again


def alone(case: Case) -> Any:
    """An inventory of the head alone."""

    def change(one: dict[str, Any]) -> None:
        del one["hosts"][1]
        one["serve"]["tensor_parallel_size"] = 1

    return case.edited(change, "alone")


def test_a_host_is_added(case: Case) -> None:
    """a host is added to the inventory"""
    case.serve(alone(case))
    case.quiet("")
    assert case.mends() == [*_RAYS, *_VLLM]


def test_a_host_is_removed(case: Case) -> None:
    """a host is removed from the inventory"""
    case.serve()
    case.quiet("")
    assert case.mends(alone(case)) == _VLLM
    assert case.hosts.processes("node1") == {}
    case.then("nothing is left on the host that was removed")


def test_a_host_is_removed_that_is_lost(case: Case) -> None:
    """a host is removed from the inventory because it cannot be reached"""
    case.serve()
    inventory = alone(case)
    cut(case.hosts, "node1")
    case.strike()
    done = case.operator.run("up", inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    (line,) = [one for one in case.operator.events(done, "host_said") if "has left the inventory" in one["line"]]
    case.said(line, "announced without it")
    told = case.refused(7, "down", inventory)
    assert told.host == "node1"
    heal(case.hosts, "node1")
    case.operator.down()
    assert case.hosts.processes("node1") == {}
    case.then("`down` again once it answers")
