"""What runs but is not wanted goes first."""

from __future__ import annotations

import pytest

from cluster.desired import ray_unit, vllm_unit
from cluster.errors import NotFreed
from cluster.observe import Observed
from orchestrator.events import HostSaid
from orchestrator.phases.clear import Clear
from tests.cluster import builders
from tests.orchestrator.played import left, played

TWO = builders.inventory()


def running() -> Observed:
    seen = builders.seen(TWO)
    rays = {spec.name: builders.alive(ray_unit(TWO, seen[spec.name])) for spec in TWO.hosts}
    engine = builders.alive(vllm_unit(TWO, seen))
    return {
        "gpu-a": builders.view(TWO.host("gpu-a"), ray=rays["gpu-a"], vllm=engine),
        "gpu-b": builders.view(TWO.host("gpu-b"), ray=rays["gpu-b"]),
    }


def test_nothing_to_do() -> None:
    assert Clear().skip(TWO, builders.seen(TWO)) == "nothing of ours is outdated"
    assert Clear().skip(TWO, running()) == "nothing of ours is outdated"


def test_a_dead_head_takes_all_with_it_in_the_order_that_hurts_least() -> None:
    seen = running()
    assert seen["gpu-a"].facts
    facts = seen["gpu-a"].facts.model_copy(update={"ray": builders.dead(71)})
    seen["gpu-a"] = builders.view(TWO.host("gpu-a"), **dict(facts))
    play = played({"stop ray": left(), "stop vllm": left()}, seen=seen)
    assert Clear().skip(TWO, seen) is None
    Clear().run(play.stage)
    assert play.ran == [("gpu-a", "stop vllm"), ("gpu-b", "stop ray"), ("gpu-a", "stop ray")]
    assert play.events[0] == HostSaid("gpu-a", "vllm is not what it must be: stopping it")


def test_what_will_not_go_ends_the_run() -> None:
    seen = builders.seen(TWO, ray=builders.dead(70))
    with pytest.raises(NotFreed) as caught:
        Clear().run(played({"stop ray": left("raylet")}, seen=seen).stage)
    assert caught.value.leftovers[0].what == "pid 70: raylet"
