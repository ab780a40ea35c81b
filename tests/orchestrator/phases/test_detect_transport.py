"""Which transport NCCL chose."""

from __future__ import annotations

import json

import pytest

from cluster.engine import nccl
from cluster.errors import NotReady, Unreachable
from cluster.values import NcclTransport, Presence
from orchestrator.events import HostMessage, TransportDetected, Waiting
from orchestrator.phases.detect_transport import DetectTransport
from orchestrator.run.phase import Situation
from tests.cluster import builders
from tests.doubles import Script
from tests.orchestrator.scripted_stage import ScriptedRun, scripted_run, status_answer

ONE, TWO = builders.inventory(hosts=1), builders.inventory()
IB = "gpu-b:71:90 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA"
SOCKET = "gpu-a:70:90 [0] NCCL INFO Using network Socket"


def chosen(*lines: str) -> str:
    return json.dumps({"lines": lines})


def learning(lines: Script, engine: Script, refuse: bool = False, patience: float = 5.0) -> ScriptedRun:
    inventory = builders.inventory(serve={"refuse_socket_transport": refuse})
    return scripted_run({"nccl": lines, "unit_status vllm": engine}, inventory, transport=patience)


def test_one_host_needs_none() -> None:
    assert (
        DetectTransport().skip(Situation(ONE, builders.seen(ONE))) == "one host needs no transport between hosts"
    )
    assert DetectTransport().skip(Situation(TWO, builders.seen(TWO))) is None


def test_the_transport_is_learned_as_soon_as_a_rank_names_it() -> None:
    play = learning([chosen(), chosen(), chosen(IB)], status_answer("loading"))
    DetectTransport().run(play.stage)
    assert [one.transport.kind for one in play.events_of(TransportDetected)] == ["NET/IB/GDRDMA"]
    assert play.events_of(Waiting)[0].last == "vLLM is launched"
    assert play.events_of(HostMessage) == []


def test_a_slow_one_is_a_warning() -> None:
    play = learning(chosen(SOCKET), status_answer())
    DetectTransport().run(play.stage)
    (message,) = play.events_of(HostMessage)
    assert message.line.startswith("warning: NCCL")
    assert "Using network Socket" in message.line
    assert (message.severity, message.cause) == ("warning", nccl.SLOW)


def test_a_slow_one_is_refused_where_the_inventory_says_so() -> None:
    play = learning(chosen(SOCKET), status_answer(), refuse=True)
    with pytest.raises(NotReady) as caught:
        DetectTransport().run(play.stage)
    assert [one.transport.kind for one in play.events_of(TransportDetected)] == ["NET/Socket"]
    assert "NCCL_IB_HCA" in caught.value.cure


def test_cpus_talk_through_gloo() -> None:
    play = learning(chosen(), status_answer("world_size=2 rank=0 local_rank=0 backend=gloo"))
    DetectTransport().run(play.stage)
    assert [one.transport.kind for one in play.events_of(TransportDetected)] == ["gloo"]


@pytest.mark.parametrize(
    "engine",
    [
        status_answer("", Presence.DEAD),
        status_answer("Engine core initialization failed"),
        status_answer("Model loading took 3.1 GiB"),
    ],
    ids=["dead", "failed", "loaded"],
)
def test_there_is_nothing_left_to_wait_for(engine: str) -> None:
    play = learning(chosen(), engine)
    DetectTransport().run(play.stage)
    assert play.events_of(TransportDetected) == [TransportDetected(NcclTransport("unknown"))]
    assert play.events_of(Waiting) == []


def test_no_word_in_time_is_no_failure() -> None:
    play = learning(chosen(), status_answer("still connecting"), patience=0.05)
    DetectTransport().run(play.stage)
    assert play.events_of(HostMessage)[-1].line == "the transport is unknown: NCCL logged no line on any rank"


def test_a_dead_engine_is_not_waited_for_because_a_host_is_lost() -> None:
    lost = Unreachable("gpu-b", "read the log of NCCL", cause="no route")
    play = learning(lost, status_answer("EngineCore failed to start.\n", Presence.DEAD), patience=60.0)
    DetectTransport().run(play.stage)
    assert not play.events_of(Waiting)
