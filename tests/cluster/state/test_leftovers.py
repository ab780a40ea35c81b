"""What is left of us, from a look at the hosts."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.errors import MalformedAnswer, Unreachable
from cluster.state.leftovers import leftovers
from cluster.values import GpuProcess, Leftover, Listener
from cluster.views import HostView
from tests.cluster.builders import card, dead, inventory, seen, view

OURS = GpuProcess(pid=7, name="VLLM::Worker", used_mib=61_000, ours=True)
THEIRS = GpuProcess(pid=8, name="python", used_mib=61_000, ours=False)


def listener(ours: bool) -> Listener:
    return Listener(port=6379, pid=9, command="gcs_server", ours=ours)


@pytest.mark.parametrize(
    ("overrides", "left"),
    [
        ({}, []),
        ({"ray": dead(4, 5)}, ["pid 4 of ray", "pid 5 of ray"]),
        ({"vllm": dead(6)}, ["pid 6 of vllm"]),
        ({"ray": dead()}, []),
        ({"listeners": (listener(True),)}, ["port 6379, held by pid 9"]),
        ({"listeners": (listener(False),)}, []),
        ({"gpus": (card(0, OURS), card(1, THEIRS))}, ["GPU 0: pid 7 holds 61000 MiB"]),
        ({"gpus": (card(0, used_mib=9000),)}, ["GPU 0: 9000 MiB are in use, but nvidia-smi shows no process"]),
        ({"gpus": (card(0, used_mib=500),)}, []),
    ],
)
def test_what_of_ours_is_left(overrides: dict[str, Any], left: list[str]) -> None:
    one = inventory()
    found = leftovers(one, seen(one) | {"gpu-b": view(one.host("gpu-b"), **overrides)})
    assert [item.what for item in found] == left
    assert all(item.host == "gpu-b" and item.provable and item.cure for item in found)


def test_gpus_that_are_not_ours_to_use_are_not_judged() -> None:
    one = inventory(gpus=1, each={"gpu_ids": (3,)})
    assert leftovers(one, seen(one, gpus=(card(0, used_mib=50_000), card(3)))) == ()


def test_a_lost_host_is_not_proved_free() -> None:
    one = inventory()
    lost = HostView("gpu-b", problem=Unreachable("gpu-b", "connect", cause="no route"))
    assert leftovers(one, seen(one) | {"gpu-b": lost}) == (
        Leftover(
            "gpu-b", "could not be checked: no route", "run `down` again once the host answers", provable=False
        ),
    )


def test_a_host_with_a_problem_is_repaired_first() -> None:
    one = inventory()
    garbled = HostView("gpu-b", problem=MalformedAnswer("gpu-b", "look", cause="the answer cannot be read"))
    (left,) = leftovers(one, seen(one) | {"gpu-b": garbled})
    assert "log in to gpu-b" in left.cure
    assert left.cure.endswith("; then run `down` again once the host answers")


def test_gpus_that_cannot_be_looked_at_are_not_taken_for_free() -> None:
    one = inventory()
    problem = "nvidia-smi: Unable to determine the device handle"
    wedged = {spec.name: view(spec, gpus=(), gpu_problem=problem) for spec in one.hosts}
    found = leftovers(one, wedged)
    assert [left.host for left in found] == ["gpu-a", "gpu-b"]
    assert all(problem in left.what and left.provable for left in found)


def test_the_cure_leads_to_the_ssh_address() -> None:
    """A name of the inventory may be another machine where the operator is."""
    one = inventory(each={"user": "anna"})
    overrides: dict[str, Any] = {"ray": dead(4), "listeners": (listener(True),), "gpus": (card(0, OURS),)}
    found = leftovers(one, seen(one) | {"gpu-b": view(one.host("gpu-b"), **overrides)})
    assert [item.cure for item in found] == [f"ssh anna@10.0.0.2 kill -9 {pid}" for pid in (4, 9, 7)]
