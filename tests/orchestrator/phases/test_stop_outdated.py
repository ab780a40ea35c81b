"""What runs but is not wanted goes first."""

from __future__ import annotations

import pytest

from cluster.errors import NotReleased, Unreachable
from cluster.state.desired import ray_unit, vllm_unit
from cluster.values import Leftover, Presence
from cluster.views import HostView, Observed
from orchestrator.events import HostMessage
from orchestrator.phases.stop_outdated import StopOutdated
from orchestrator.run.phase import Situation
from tests.cluster import builders
from tests.orchestrator.scripted_stage import scripted_run, status_answer, stop_answer

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
    assert StopOutdated().skip(Situation(TWO, builders.seen(TWO))) == "no unit is outdated"
    assert StopOutdated().skip(Situation(TWO, running())) == "no unit is outdated"


def test_what_has_died_is_told_with_its_cause_before_it_goes() -> None:
    seen = running()
    seen["gpu-a"] = builders.view(TWO.host("gpu-a"), ray=seen["gpu-a"].ray, vllm=builders.dead(name="vllm"))
    answers = {"unit_status vllm": status_answer("torch.OutOfMemoryError: CUDA out of memory.", Presence.DEAD)}
    play = scripted_run({"stop vllm": stop_answer(), **answers}, seen=seen)
    StopOutdated().run(play.stage)
    assert play.events == [
        HostMessage(
            "gpu-a",
            "vllm has exited: torch.OutOfMemoryError: CUDA out of memory.: the model does not fit into the memory "
            "of the GPUs; stopping it",
        )
    ]
    assert play.ran == [("gpu-a", "unit_status vllm"), ("gpu-a", "stop vllm")]


def test_why_it_died_is_asked_of_its_own_host_alone() -> None:
    lost = Unreachable("gpu-b", "connect", cause="no route")
    seen = running() | {"gpu-b": builders.view(TWO.host("gpu-b"), ray=builders.dead(70))}
    play = scripted_run(
        {"stop ray": stop_answer(), "stop vllm": stop_answer(), "unit_status ray": lost}, seen=seen
    )
    StopOutdated().run(play.stage)
    messages = {event.host: event.line for event in play.events_of(HostMessage) if event.line.startswith("ray")}
    assert messages == {
        "gpu-a": "ray runs with an outdated configuration; stopping it",
        "gpu-b": "ray has exited: ray has exited, but 1 of its processes still run; its log could not be read: "
        "no route; stopping it",
    }
    assert [host for host, kind in play.ran if kind.startswith("unit_status")] == ["gpu-b"]


def test_a_dead_head_takes_all_with_it_in_the_order_that_hurts_least() -> None:
    seen = running()
    assert seen["gpu-a"].facts
    facts = seen["gpu-a"].facts.model_copy(update={"ray": builders.dead(71)})
    seen["gpu-a"] = builders.view(TWO.host("gpu-a"), **dict(facts))
    ended = status_answer("No space left on device", Presence.DEAD)
    play = scripted_run(
        {"stop ray": stop_answer(), "stop vllm": stop_answer(), "unit_status ray": ended}, seen=seen
    )
    assert StopOutdated().skip(Situation(TWO, seen)) is None
    StopOutdated().run(play.stage)
    assert play.ran == [
        ("gpu-a", "stop vllm"),
        ("gpu-b", "stop ray"),
        ("gpu-a", "unit_status ray"),
        ("gpu-a", "stop ray"),
    ]
    assert play.events[0] == HostMessage("gpu-a", "vllm runs with an outdated configuration; stopping it")


def test_what_will_not_go_ends_the_run() -> None:
    seen = builders.seen(TWO, ray=builders.dead(70))
    with pytest.raises(NotReleased) as caught:
        StopOutdated().run(
            scripted_run(
                {"stop ray": stop_answer("raylet"), "unit_status ray": status_answer("")}, seen=seen
            ).stage
        )
    assert caught.value.leftovers[0].what == "pid 70: raylet"


@pytest.mark.parametrize("lost", ["gpu-a", "gpu-b"])
def test_nothing_is_stopped_for_a_host_that_could_not_be_looked_at(lost: str) -> None:
    """It may run what is wanted, and serve."""
    problem = Unreachable(lost, "read the facts of the host", cause="no route")
    seen = running() | {lost: HostView(lost, problem=problem)}
    play = scripted_run({"stop ray": stop_answer(), "stop vllm": stop_answer()}, seen=seen)
    with pytest.raises(Unreachable) as caught:
        StopOutdated().run(play.stage)
    assert caught.value is problem
    assert play.ran == []


@pytest.mark.parametrize("engine_runs", [True, False])
def test_ray_begins_anew_where_it_may_still_have_a_removed_host(engine_runs: bool) -> None:
    """A cluster that serves as wanted is left in peace."""
    seen = running()
    if not engine_runs:
        seen["gpu-a"] = builders.view(TWO.host("gpu-a"), ray=seen["gpu-a"].ray)
    lost = Leftover("gpu-c", "could not be inspected", provable=False)
    situation = Situation(TWO, seen, removed=(lost,))
    assert StopOutdated().skip(situation) == ("no unit is outdated" if engine_runs else None)
    assert StopOutdated().skip(Situation(TWO, seen)) == "no unit is outdated"
