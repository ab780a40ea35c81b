"""The proof of a `down`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.errors import NotReleased, Unreachable
from cluster.values import GpuProcess, Leftover, Listener
from orchestrator.events import HostMessage, Waiting
from orchestrator.phases.verify_released import VerifyReleased
from orchestrator.run.phase import Handover
from tests.cluster import builders
from tests.doubles import Script, failed
from tests.orchestrator.scripted_stage import ScriptedRun, facts_answer, scripted_run

TWO = builders.inventory()
CLEAN = facts_answer(builders.facts(TWO.host("gpu-a"))), facts_answer(builders.facts(TWO.host("gpu-b")))
RANK = GpuProcess(pid=5391, name="VLLM::Worker_TP3", used_mib=71204, ours=True)


def freeing(head: Script, worker: Script, sweep: Script = "", patience: float = 5.0) -> ScriptedRun:
    looks = {"gpu-a": head, "gpu-b": worker}
    return scripted_run(lambda host: {"facts": looks[host], "remove_state": sweep}, TWO, free=patience)


def failure(play: ScriptedRun) -> NotReleased:
    with pytest.raises(NotReleased) as caught:
        VerifyReleased().run(play.stage)
    return caught.value


def held(**facts: object) -> str:
    return facts_answer(builders.facts(TWO.host("gpu-b"), **facts))


def test_nothing_is_left_and_the_lease_on_the_head_is_swept_last() -> None:
    play = freeing(*CLEAN)
    VerifyReleased().run(play.stage)
    assert play.ran[-2:] == [("gpu-b", "remove_state"), ("gpu-a", "remove_state")]
    assert play.events == [HostMessage("", "no process is left, all ports are free, and no GPU memory is held")]


def test_a_rank_may_take_its_time_in_the_driver() -> None:
    busy = held(gpus=(builders.card(0, RANK),))
    play = freeing(CLEAN[0], [busy, busy, CLEAN[1]])
    VerifyReleased().run(play.stage)
    assert [event.last for event in play.events_of(Waiting)] == ["gpu-b: GPU 0: pid 5391 holds 71204 MiB"] * 2


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"gpus": (builders.card(0, RANK),)}, "GPU 0: pid 5391 holds 71204 MiB"),
        (
            {"gpus": (builders.card(0, used_mib=9000),)},
            "GPU 0: 9000 MiB are in use, but nvidia-smi shows no process",
        ),
        ({"ray": builders.dead(71)}, "pid 71 of ray"),
        (
            {"listeners": (Listener(port=6380, pid=72, command="raylet", ours=True),)},
            "port 6380, held by pid 72",
        ),
    ],
)
def test_what_is_left_is_named(facts: dict[str, object], what: str) -> None:
    error = failure(freeing(CLEAN[0], held(**facts), patience=0.02))
    assert [leftover.host for leftover in error.leftovers] == ["gpu-b"]
    assert error.leftovers[0].what.startswith(what)


def test_what_is_not_ours_is_nothing_left() -> None:
    foreign = GpuProcess(pid=9, name="python", used_mib=70000, ours=False)
    listener = Listener(port=6380, pid=9, command="raylet", ours=False)
    VerifyReleased().run(freeing(CLEAN[0], held(gpus=(builders.card(0, foreign),), listeners=(listener,))).stage)


def test_a_lost_host_is_not_waited_for_but_nothing_is_proved_of_it() -> None:
    lost = Unreachable("gpu-b", "connect", cause="no route")
    play = freeing(CLEAN[0], lost)
    error = failure(play)
    assert [(leftover.host, leftover.what) for leftover in error.leftovers] == [
        ("gpu-b", "could not be checked: no route")
    ]
    assert play.events_of(Waiting) == []
    assert ("gpu-a", "remove_state") in play.ran


def test_files_that_stay_are_named_one_by_one() -> None:
    play = freeing(*CLEAN, sweep=[failed(1, "/s/ray: Read-only file system\n/s/vllm: Read-only file system"), ""])
    error = failure(play)
    assert [(leftover.host, leftover.what) for leftover in error.leftovers] == [
        (host, f"could not be removed: /s/{name}: Read-only file system")
        for host in ("gpu-b", "gpu-a")
        for name in ("ray", "vllm")
    ]


def test_files_of_a_host_that_is_lost_may_be_left() -> None:
    play = freeing(*CLEAN, sweep=Unreachable("gpu-b", "clean", cause="no route"))
    what = [leftover.what for leftover in failure(play).leftovers]
    assert what[0] == f"could not be removed: files in {builders.STATE}: no route"


def test_what_is_left_on_removed_hosts_is_named_once_all_else_is_free() -> None:
    play = freeing(*CLEAN)
    lost = Leftover("gpu-c", "could not be inspected", provable=False)
    play = replace(play, stage=play.stage.after(Handover(removed=(lost,))))
    assert failure(play).leftovers == (lost,)
    assert play.ran[-1] == ("gpu-a", "remove_state")
