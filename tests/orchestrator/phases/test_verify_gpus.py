"""Ray itself must see every host and every GPU."""

from __future__ import annotations

import json

import pytest

from cluster.command import Result
from cluster.errors import CommandFailed, NotReady, Unreachable
from cluster.state.desired import ray_unit, vllm_unit
from cluster.values import Presence
from orchestrator.events import HostActivity, HostMessage, Progress, Waiting
from orchestrator.phases.verify_gpus import VerifyGpus
from orchestrator.run.phase import Situation
from tests.cluster import builders
from tests.doubles import Script, ScriptedChannel
from tests.orchestrator.scripted_stage import ScriptedRun, scripted_run, status_answer

ONE, TWO = builders.inventory(hosts=1, gpus=2), builders.inventory(gpus=1)
A, B = "192.168.0.1", "192.168.0.2"
ALIVE: dict[str, Script] = {"unit_status ray": status_answer("last words\n")}


def card(number: int, cuda: str = "ok") -> dict[str, object]:
    return {"uuid": f"GPU-{number}", "memory_mib": 81559, "cuda": cuda}


def gating(*said: object, answers: dict[str, Script] | None = None, result: Result | None = None) -> ScriptedRun:
    lines = [one if one is None or isinstance(one, str) else json.dumps(one) for one in said]
    channel = ScriptedChannel(lines, result)
    return scripted_run(answers or ALIVE, TWO, channels={"verify_gpus": channel})


def failure(play: ScriptedRun) -> NotReady:
    with pytest.raises(NotReady) as caught:
        VerifyGpus().run(play.stage)
    return caught.value


def test_skipped_without_ray_and_where_our_engine_holds_the_gpus() -> None:
    seen = builders.seen(TWO)
    rays = {name: builders.alive(ray_unit(TWO, view)) for name, view in seen.items()}
    engine = builders.alive(vllm_unit(TWO, seen))
    running = {
        "gpu-a": builders.view(TWO.host("gpu-a"), ray=rays["gpu-a"], vllm=engine),
        "gpu-b": builders.view(TWO.host("gpu-b"), ray=rays["gpu-b"]),
    }
    assert VerifyGpus().skip(Situation(ONE, builders.seen(ONE))) == "one host needs no Ray"
    assert VerifyGpus().skip(Situation(TWO, running)) == "the engine of this cluster holds them"
    assert VerifyGpus().skip(Situation(TWO, seen)) is None


def test_what_it_sees_is_shown() -> None:
    play = gating(
        "Welcome to gpu-a!",
        {"waiting": "the head to answer", "last": "no route"},
        {"joined": {A: 1}},
        {"joined": {A: 1, B: 1}},
        {"touched": 2, "of": 2},
        {"proved": [card(1), card(2)]},
    )
    VerifyGpus().run(play.stage)
    assert [(one.what, one.last) for one in play.events_of(Waiting)] == [
        ("the head to answer", "no route"),
        ("all hosts to join Ray", f"gpu-b ({B}) has not joined"),
        ("every GPU to answer through Ray", ""),
    ]
    assert [(one.what, one.done, one.total) for one in play.events_of(Progress)] == [
        ("GPUs in Ray", 1, 2),
        ("GPUs in Ray", 2, 2),
        ("GPUs touched through Ray", 2, 2),
    ]
    assert play.events_of(HostActivity)[:2] == [
        HostActivity("gpu-a", "in Ray with 1 of 1 GPUs"),
        HostActivity("gpu-b", "not in Ray yet"),
    ]
    assert play.events_of(HostMessage) == [HostMessage("", "2 of 2 GPUs answered through Ray, all distinct")]


def test_what_was_not_checked_is_said() -> None:
    play = gating({"proved": [card(1), card(2, "not checked")]})
    VerifyGpus().run(play.stage)
    assert play.events_of(HostMessage)[1].line == "CUDA was not checked on 1 of them: their hosts have no libcuda"


def test_a_missing_host_is_named_with_the_end_of_its_log() -> None:
    error = failure(gating({"failed": "nodes", "why": "not every host joined", "joined": {A: 1}}))
    assert (error.host, error.cause, error.last) == ("gpu-b", f"gpu-b ({B}) has not joined", "last words")
    assert "gpu-b" in error.cure


def test_a_host_that_nobody_wanted_is_told_with_a_way_out() -> None:
    joined = {A: 1, B: 1, "9.9.9.9": 1}
    error = failure(gating({"failed": "nodes", "why": "not every host joined", "joined": joined}))
    assert (error.host, error.cause) == ("gpu-a", "9.9.9.9 has joined but is not in the inventory")
    assert "run `up --recreate` without it" in error.cure


def test_gpus_that_fail_are_told_of_with_the_head() -> None:
    error = failure(gating({"failed": "gpus", "why": "cuInit: error 802"}))
    assert (error.host, error.cause) == ("gpu-a", "cuInit: error 802")


def test_a_host_that_cannot_be_looked_at_does_not_hide_what_the_gate_says() -> None:
    lost: dict[str, Script] = {"unit_status ray": Unreachable("gpu-b", "read the status of ray")}
    error = failure(gating(None, {"failed": "nodes", "why": "?", "joined": {A: 1}}, answers=lost))
    assert (error.host, error.last) == ("gpu-b", "")


def test_a_ray_that_dies_ends_the_wait() -> None:
    dead = status_answer("RuntimeError: Version mismatch: The cluster was started with", Presence.DEAD)
    error = failure(gating({"joined": {A: 1}}, None, answers={"unit_status ray": dead}))
    assert error.cause == "Ray on gpu-a has exited: Ray or Python differs between the hosts"


def test_a_ray_that_dies_is_seen_while_the_gate_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.phases.verify_gpus._LOOK_EVERY", -1.0)
    talk = [{"waiting": "the head to answer", "last": "refused"}] * 3
    assert (
        "has exited" in failure(gating(*talk, answers={"unit_status ray": status_answer("", Presence.DEAD)})).cause
    )


def test_a_gate_that_goes_down_with_its_ray_tells_of_the_ray() -> None:
    """Its own last words are those of a connection that broke."""
    dead: dict[str, Script] = {"unit_status ray": status_answer("No space left on device", Presence.DEAD)}
    error = failure(gating(answers=dead, result=Result(1, "", "Failed to register worker to Raylet: End of file")))
    assert (error.host, error.cause) == ("gpu-a", "Ray on gpu-a has exited: a disk or /dev/shm is full")


def test_a_gate_that_ends_without_a_verdict_is_a_failed_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.phases.verify_gpus._NOTICED", 0.0)
    play = gating({"joined": {A: 1}}, result=Result(1, "", "ModuleNotFoundError: No module named 'ray'"))
    with pytest.raises(CommandFailed) as caught:
        VerifyGpus().run(play.stage)
    assert (caught.value.status, caught.value.cause) == (1, "the venv of the head has no Ray")
