"""vLLM first, then Ray on the workers, then on the head; a lost host does not stop the rest."""

from __future__ import annotations

from cluster.command import Command
from cluster.errors import CommandTimedOut, Unreachable
from cluster.values import Presence, UnitState
from cluster.views import HostView, Observed
from orchestrator.events import HostMessage
from orchestrator.phases.stop import StopRay, StopVllm
from orchestrator.run.phase import Situation
from tests.cluster import builders
from tests.doubles import Script
from tests.orchestrator.scripted_stage import scripted_run, stop_answer

THREE = builders.inventory(hosts=3)
ALIVE = UnitState(presence=Presence.ALIVE)
HUNG = CommandTimedOut("gpu-b", Command(("x",), "stop ray"))


def seen(**overrides: object) -> Observed:
    return builders.seen(THREE, **overrides)


def test_nothing_to_stop() -> None:
    for phase in (StopVllm(), StopRay()):
        assert phase.skip(Situation(THREE, seen())) == "it does not run"
        lost = HostView("gpu-b", problem=Unreachable("gpu-b", "read the facts of the host"))
        reason = phase.skip(Situation(THREE, seen() | {"gpu-b": lost}))
        assert reason == "it runs on no other host, and gpu-b could not be inspected"


def test_workers_before_the_head() -> None:
    play = scripted_run({"stop ray": stop_answer()}, THREE, seen(ray=ALIVE))
    assert StopRay().skip(Situation(THREE, play.stage.seen)) is None
    StopRay().run(play.stage)
    assert sorted(play.ran[:2]) == [("gpu-b", "stop ray"), ("gpu-c", "stop ray")]
    assert play.ran[2:] == [("gpu-a", "stop ray")]


def test_whatever_is_left_of_one_is_stopped_dead_or_alive() -> None:
    views = seen() | {"gpu-a": builders.view(THREE.host("gpu-a"), vllm=builders.dead(70, name="vllm"))}
    play = scripted_run({"stop vllm": stop_answer()}, THREE, views)
    assert StopVllm().skip(Situation(THREE, views)) is None
    StopVllm().run(play.stage)
    assert play.ran == [("gpu-a", "stop vllm")]


def test_a_host_that_cannot_be_looked_at_is_passed_over() -> None:
    lost = HostView("gpu-b", problem=Unreachable("gpu-b", "connect"))
    play = scripted_run({"stop ray": stop_answer()}, THREE, seen(ray=ALIVE) | {"gpu-b": lost})
    StopRay().run(play.stage)
    assert play.ran == [("gpu-c", "stop ray"), ("gpu-a", "stop ray")]


def test_what_will_not_go_is_said_and_the_rest_is_stopped() -> None:
    answers: dict[str, Script] = {"gpu-b": HUNG, "gpu-c": stop_answer("raylet"), "gpu-a": stop_answer()}
    play = scripted_run(lambda host: {"stop ray": answers[host]}, THREE, seen(ray=ALIVE))
    StopRay().run(play.stage)
    assert play.events == [
        HostMessage("gpu-b", "ray could not be stopped: the command did not finish within 30 s"),
        HostMessage("gpu-c", "still running after SIGKILL: pid 70: raylet"),
    ]
    assert play.ran[-1] == ("gpu-a", "stop ray")
