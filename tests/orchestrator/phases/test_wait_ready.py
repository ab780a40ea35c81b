"""Progress is shown, a death is seen at once, and only a stall ends the wait."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.errors import NotReady, Unreachable
from cluster.values import Presence
from cluster.views import HostView
from orchestrator.events import EngineReady, HostActivity, HostMessage, LastLogLine, Progress, Waiting
from orchestrator.phases.wait_ready import WaitReady
from orchestrator.render import plain
from tests.cluster import builders
from tests.cluster.diagnosis.test_collect import line
from tests.orchestrator.scripted_stage import ScriptedRun, Scripts, facts_answer, scripted_run, status_answer

RECORDED = Path(__file__).parents[2] / "recorded" / "vllm"
SHARDS = "Loading safetensors checkpoint shards:  {}% Completed | {}/4\n"
READY = status_answer("GPU KV cache size: 1,203,456 tokens\n", health=200)


def waiting(*engine: str | Unreachable, ray: str = "", load: float = 5.0) -> ScriptedRun:
    return scripted_run({"unit_status vllm": engine, "unit_status ray": ray or status_answer()}, load=load)


def failure(play: ScriptedRun) -> NotReady:
    with pytest.raises(NotReady) as caught:
        WaitReady().run(play.stage)
    return caught.value


def test_a_healthy_engine_is_ready_at_once() -> None:
    play = waiting(READY)
    WaitReady().run(play.stage)
    assert play.events[-1] == EngineReady(1_203_456)
    assert not play.events_of(Waiting)


def test_the_log_is_read_on_from_where_it_was() -> None:
    play = waiting(status_answer("abc", offset=3), status_answer("def", offset=6), READY)
    WaitReady().run(play.stage)
    assert [one["offset"] for one in play.payloads("gpu-a", "unit_status vllm")] == [0, 3, 6]


def test_progress_is_shown_when_there_is_some() -> None:
    engine = (SHARDS.format(25, 1, 4), "", SHARDS.format(50, 2, 4), "")
    play = waiting(
        *(status_answer(text, offset=100 * at) for at, text in enumerate(engine, 1)),
        status_answer(health=200, offset=500),
    )
    WaitReady().run(play.stage)
    assert [(one.done, one.total) for one in play.events_of(Progress)] == [(1, 4), (2, 4)]


def test_what_is_waited_for_reads_well() -> None:
    loading = status_answer("Starting to load model\n" + SHARDS.format(25, 1, 4), read=3 << 30)
    play = waiting(loading, READY, ray=status_answer(read=1 << 30))
    WaitReady().run(play.stage)
    shown = plain.line(Waiting("the engine to load", 72.0, play.events_of(Waiting)[0].last), 72)
    assert shown == (
        "   1:12  · waiting for the engine to load, 1 min 12 s:"
        " loading weights (1 of 4 shards), 4.0 GiB read by all ranks"
    )


def test_what_every_host_reads_and_what_the_log_says() -> None:
    begun = status_answer(
        "(EngineCore pid=3) one\n\x1b[36m(RayWorkerProc pid=4)\x1b[0m (Worker pid=4) two\n", read=3 << 30
    )
    play = waiting(begun, READY, ray=status_answer(read=1 << 30))
    WaitReady().run(play.stage)
    assert play.events_of(HostActivity)[:2] == [
        HostActivity("gpu-a", "3.0 GiB read"),
        HostActivity("gpu-b", "1.0 GiB read"),
    ]
    assert [one.line for one in play.events_of(LastLogLine)] == ["two", "GPU KV cache size: 1,203,456 tokens"]


@pytest.mark.parametrize("presence", list(Presence))
def test_a_crash_is_told_with_its_cause_whether_or_not_the_process_lives(presence: Presence) -> None:
    log = (RECORDED / "crash-kv-too-small.log").read_text()
    error = failure(waiting(status_answer("starting\n"), status_answer(log, presence)))
    assert error.host == "gpu-a"
    assert "no GPU memory is left for the KV cache" in error.cause


def test_a_death_without_words() -> None:
    ended = status_answer("", Presence.DEAD, offset=10, status=-9)
    error = failure(waiting(status_answer("some line\n", Presence.DEAD, status=-9), ended))
    assert (error.cause, error.last) == ("vLLM was killed by SIGKILL", "some line")


def test_a_worker_that_dies_takes_its_ranks_with_it() -> None:
    error = failure(waiting(status_answer(), ray=status_answer("raylet died", Presence.DEAD)))
    assert (error.host, error.cause) == ("gpu-b", "Ray on gpu-b has exited, and its ranks with it")


def test_a_stall_ends_it_and_says_where_to_look() -> None:
    error = failure(waiting(status_answer("Starting to load model\n"), status_answer("", offset=23), load=0.05))
    assert error.host == "gpu-a"
    assert error.cause.startswith("no progress for 0.05 s")
    assert f"{builders.STATE}/vllm/log" in error.cure
    assert error.last.startswith("loading weights")


def test_a_stall_tells_what_every_rank_is_at() -> None:
    process = {"command": "ray::RayWorkerProc.run", "waits_in": "", "cpu": 0.0, "read_per_second": 0}
    stopped = line("processes.json", json.dumps([{**process, "pid": 7, "state": "T"}]))
    loads = line("processes.json", json.dumps([{**process, "pid": 8, "state": "R", "cpu": 0.9}]))
    answers = {
        "unit_status vllm": [status_answer("Starting to load model\n"), status_answer("", offset=23)],
        "unit_status ray": status_answer(),
    }
    hosts = {"gpu-a": {**answers, "collect": loads}, "gpu-b": {**answers, "collect": stopped}}
    play = scripted_run(lambda name: hosts[name], load=0.05)
    error = failure(play)
    assert error.host == "gpu-b"
    first, second = error.cause.splitlines()
    assert first == "the rank with pid 7 on gpu-b is stopped, and the others wait for it"
    assert second.startswith("no progress for 0.05 s")
    assert error.last.splitlines()[1:] == [
        "gpu-a: the rank with pid 8 at work",
        "gpu-b: the rank with pid 7 stopped",
    ]
    assert play.payloads("gpu-a", "collect")[0]["ray_state"]
    assert play.events_of(HostMessage)[-1].line.startswith("no progress: asking every host")


def test_a_death_is_looked_into_on_every_host() -> None:
    said = "RayWorkerProc rank=[9] died unexpectedly, shutting down executor."
    died = f"(EngineCore pid=3) ERROR 11-26 17:15:49 [r.py:1] {said}\n"
    where = "A worker died or was killed. Worker IP address: 192.168.0.2 Worker port: 1 Worker PID: 7\n"
    killed = line(
        "kernel.log", "4 s ago: Memory cgroup out of memory: Killed process 7 (ray::RayWorkerP) total-vm:9kB"
    )
    answers = {
        "unit_status vllm": [status_answer(died + where), status_answer("", offset=900)],
        "unit_status ray": status_answer(),
    }
    hosts = {"gpu-a": answers, "gpu-b": {**answers, "collect": killed}}
    error = failure(scripted_run(lambda name: hosts[name]))
    assert (error.host, error.cause.splitlines()[0].partition(" total")[0]) == (
        "gpu-b",
        "rank 9: out of memory: Killed process 7 (ray::RayWorkerP)",
    )


def test_an_engine_that_lost_a_ray_is_told_by_that_ray() -> None:
    died = "(EngineCore pid=3) ERROR 11-26 17:15:49 [core.py:1510] EngineCore failed to start.\n"
    answers = {
        "unit_status vllm": [status_answer(died), status_answer("", offset=900)],
        "unit_status ray": status_answer(),
    }
    ended = status_answer("2026-11-26 18:53:47,374 ERR scripts.py:87 -- raylet [exit code=-9]\n", Presence.DEAD)
    hosts = {"gpu-a": answers, "gpu-b": {**answers, "unit_status ray": ended}}
    error = failure(scripted_run(lambda name: hosts[name]))
    assert error.host == "gpu-b"
    assert error.cause.startswith(
        "Ray on gpu-b has exited, and its ranks with it: one of its processes was killed"
    )
    assert "raylet [exit code=-9]" in error.last


def test_as_long_as_a_rank_reads_it_is_no_stall() -> None:
    moving = [status_answer("", read=step << 30) for step in range(200)]
    play = waiting(*moving, READY, load=0.2)
    WaitReady().run(play.stage)
    assert play.events_of(EngineReady)


def test_a_line_that_breaks_for_a_moment_is_waited_out() -> None:
    lost = Unreachable("gpu-a", "read the status of vllm", cause="the connection broke while the command ran")
    play = waiting(lost, status_answer(), READY)
    WaitReady().run(play.stage)
    while_lost, back = play.events_of(Waiting)
    assert while_lost.last == "gpu-a: read the status of vllm: the connection broke while the command ran"
    assert (while_lost.problems, back.problems) == ((lost,), ())
    assert play.events_of(EngineReady)


GONE = Unreachable("gpu-b", "read the status of ray", cause="no route to host", cure="see whether it is up")


def test_an_engine_that_dies_of_a_lost_host_is_told_at_once_with_that_host() -> None:
    log = (RECORDED / "crash-kv-too-small.log").read_text()
    hosts: dict[str, Scripts] = {
        "gpu-a": {"unit_status vllm": status_answer(log, Presence.DEAD), "unit_status ray": status_answer()},
        "gpu-b": {"unit_status ray": GONE},
    }
    error = failure(scripted_run(lambda name: hosts[name], load=60))
    assert "no GPU memory is left for the KV cache" in error.cause
    assert error.__notes__ == ["gpu-b does not answer: no route to host (see whether it is up)"]


def test_a_wait_that_ends_while_a_host_is_lost_names_that_host() -> None:
    loading = status_answer("Starting to load model\n")
    error = failure(scripted_run({"unit_status vllm": loading, "unit_status ray": GONE}, load=0.05))
    told = (error.host, error.cause, error.cure)
    assert told == ("gpu-b", "read the status of ray: no route to host", "see whether it is up")


def test_a_host_that_is_back_is_looked_at_again() -> None:
    """It was lost as the phase began."""
    two = builders.inventory()
    lost = HostView("gpu-b", problem=Unreachable("gpu-b", "read the facts of the host", cause="no route"))
    there = facts_answer(builders.facts(two.host("gpu-b")))
    answers: Scripts = {"unit_status vllm": READY, "unit_status ray": status_answer(), "facts": [GONE, there]}
    play = scripted_run(answers, seen=builders.seen(two) | {"gpu-b": lost})
    WaitReady().run(play.stage)
    assert play.events_of(EngineReady)
    assert play.ran.count(("gpu-b", "facts")) == 2
