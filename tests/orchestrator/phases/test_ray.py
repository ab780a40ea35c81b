"""Ray on the head, then on the workers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.command import Command
from cluster.errors import CommandFailed, CommandTimedOut, FleetError, NotReleased, Unreachable
from cluster.state.desired import ray_unit
from cluster.views import HostView, Observed
from orchestrator.events import HostMessage
from orchestrator.phases.ray import JoinWorkers, StartHead
from orchestrator.run.phase import Phase, Situation
from tests.cluster import builders
from tests.doubles import Script, failed
from tests.orchestrator.scripted_stage import scripted_run, stop_answer

ONE, TWO, THREE = builders.inventory(hosts=1), builders.inventory(), builders.inventory(hosts=3)
LOST = Unreachable("gpu-b", "stop ray", cause="no route", cure="see its cable")
STARTS: dict[str, Script] = {"ray_token": 'welcome\n{"token": "t0ken"}\nbye\n', "keeper ray": ""}


def running(*names: str) -> Observed:
    seen = builders.seen(TWO)
    return {
        name: builders.view(TWO.host(name), ray=builders.alive(ray_unit(TWO, view))) if name in names else view
        for name, view in seen.items()
    }


@pytest.mark.parametrize(
    ("phase", "seen", "reason"),
    [
        (StartHead(), running(), None),
        (StartHead(), running("gpu-b"), None),
        (StartHead(), running("gpu-a"), "it runs as wanted"),
        (JoinWorkers(), running("gpu-a"), None),
        (JoinWorkers(), running("gpu-b"), "it runs as wanted on all of them"),
        (StartHead(), builders.seen(TWO, ray=builders.dead()), None),
    ],
)
def test_skipped_where_it_runs_as_wanted(phase: Phase, seen: Observed, reason: str | None) -> None:
    assert phase.skip(Situation(TWO, seen)) == reason


@pytest.mark.parametrize("phase", [StartHead(), JoinWorkers()])
def test_one_host_needs_no_ray(phase: Phase) -> None:
    assert phase.skip(Situation(ONE, builders.seen(ONE))) == "one host needs no Ray"


def test_the_head_gets_a_token_and_then_ray() -> None:
    play = scripted_run(STARTS)
    StartHead().run(play.stage)
    assert play.ran == [("gpu-a", "ray_token"), ("gpu-a", "keeper ray")]
    assert "--head" in play.payloads("gpu-a", "keeper ray")[0]["argv"]


def test_workers_get_the_heads_token_and_join_at_once() -> None:
    play = scripted_run(STARTS, THREE)
    JoinWorkers().run(play.stage)
    assert play.ran[0] == ("gpu-a", "ray_token")
    assert sorted(play.ran[1:]) == sorted(
        (name, kind) for name in ("gpu-b", "gpu-c") for kind in ("ray_token", "keeper ray")
    )
    assert play.payloads("gpu-b", "ray_token")[0]["token"] == "t0ken"
    assert "--address=192.168.0.1:6379" in play.payloads("gpu-c", "keeper ray")[0]["argv"]


def test_a_worker_that_has_joined_is_left_alone() -> None:
    seen = builders.seen(THREE)
    runs = builders.alive(ray_unit(THREE, seen["gpu-b"]))
    play = scripted_run(STARTS, THREE, seen | {"gpu-b": builders.view(THREE.host("gpu-b"), ray=runs)})
    JoinWorkers().run(play.stage)
    assert ("gpu-c", "keeper ray") in play.ran
    assert not any(host == "gpu-b" for host, _ in play.ran)


def test_every_worker_that_cannot_is_named() -> None:
    answers = {**STARTS, "keeper ray": failed(1, "No space left on device")}
    with pytest.raises(FleetError) as caught:
        JoinWorkers().run(scripted_run(answers, THREE).stage)
    assert [error.host for error in caught.value.errors] == ["gpu-b", "gpu-c"]
    assert all(isinstance(error, CommandFailed) and "full" in error.cause for error in caught.value.errors)


@pytest.mark.parametrize(("phase", "host"), [(StartHead(), "gpu-a"), (JoinWorkers(), "gpu-b")])
def test_a_host_that_was_lost_after_preflight_says_so(phase: Phase, host: str) -> None:
    lost = Unreachable(host, "read the facts of the host")
    with pytest.raises(Unreachable) as caught:
        phase.run(scripted_run(STARTS, seen=builders.seen(TWO) | {host: HostView(host, problem=lost)}).stage)
    assert caught.value is lost


def test_undo_stops_what_was_not_there_before() -> None:
    play = scripted_run({"stop ray": stop_answer()}, seen=running("gpu-a"))
    JoinWorkers().undo(play.stage)
    StartHead().undo(play.stage)
    assert play.ran == [("gpu-b", "stop ray")]


@pytest.mark.parametrize(
    ("answer", "what", "cure"),
    [
        (stop_answer("raylet"), "pid 70: raylet", "ssh 10.0.0.2 kill -9 70"),
        (LOST, "ray could not be stopped: no route", "see its cable"),
        (
            CommandTimedOut("gpu-b", Command(("x",), "stop ray")),
            "ray could not be stopped: the command did not finish within 30 s",
            "log in to gpu-b and find the process that hangs",
        ),
    ],
)
def test_what_undo_could_not_stop_is_named(answer: Script, what: str, cure: str) -> None:
    play = scripted_run(lambda host: {"stop ray": answer if host == "gpu-b" else stop_answer()}, THREE)
    with pytest.raises(NotReleased) as caught:
        JoinWorkers().undo(play.stage)
    assert [(left.host, left.what, left.cure) for left in caught.value.leftovers] == [("gpu-b", what, cure)]
    assert ("gpu-c", "stop ray") in play.ran


def test_only_what_this_run_has_launched_is_taken_back() -> None:
    """Another operator may have launched the same on hosts that we lost for a while."""
    play = scripted_run({**STARTS, "stop ray": stop_answer()})
    stage = replace(play.stage, run_id="this run")
    StartHead().run(stage)
    StartHead().undo(stage)
    (launched,), (stopped,) = play.payloads("gpu-a", "keeper ray"), play.payloads("gpu-a", "stop ray")
    assert (launched["record"]["launch"], stopped["launch"]) == ("this run", "this run")


def test_a_unit_of_another_run_is_left_and_shown() -> None:
    play = scripted_run(lambda host: {"stop ray": stop_answer(another=host == "gpu-b")}, THREE)
    JoinWorkers().undo(play.stage)
    (shown,) = play.events_of(HostMessage)
    assert (shown.host, shown.severity) == ("gpu-b", "warning")
    assert shown.line == (
        "warning: ray was not stopped: another run launched it, and it may serve"
        " (see with `orchestrator status` what runs; `orchestrator down` stops it)"
    )
