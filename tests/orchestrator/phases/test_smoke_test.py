"""Only a token is a proof."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from cluster.errors import NotReady
from cluster.inventory import Inventory
from cluster.values import Presence
from orchestrator.events import EndpointVerified, HostMessage, TransportDetected, Waiting
from orchestrator.phases.smoke_test import SmokeTest
from tests.cluster import builders
from tests.doubles import Script
from tests.orchestrator.fake_vllm import HANG, TOKEN, FakeVllm, closed_port, served
from tests.orchestrator.scripted_stage import ScriptedRun, scripted_run, status_answer

NO_TOKEN = json.dumps({"usage": {"completion_tokens": 0}, "choices": [{"text": ""}]})
CHAT = json.dumps({"usage": {"completion_tokens": 1}, "choices": [{"message": {"content": "red"}}]})
IB = "gpu-b:71:90 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA"
HEALTH = "/health"
COMPLETIONS = "/v1/completions"


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    with served({COMPLETIONS: TOKEN, "/v1/chat/completions": CHAT}) as server:
        yield server


def serving(port: int, hosts: int = 2, **serve: object) -> Inventory:
    return builders.inventory(hosts, serve={"host": "127.0.0.1", "port": port, **serve})


def proving(inventory: Inventory, engine: str = "", token: float = 10.0, **answers: Script) -> ScriptedRun:
    nccl = {"nccl": json.dumps({"lines": [IB]}), "unit_status vllm": engine or status_answer()}
    return scripted_run({**nccl, **answers}, inventory, token=token)


def failure(play: ScriptedRun) -> NotReady:
    with pytest.raises(NotReady) as caught:
        SmokeTest().run(play.stage)
    return caught.value


def test_a_token_proves_the_endpoint_and_tells_the_transport(vllm: FakeVllm) -> None:
    play = proving(serving(vllm.port))
    SmokeTest().run(play.stage)
    url = f"http://127.0.0.1:{vllm.port}"
    assert play.events_of(EndpointVerified) == [EndpointVerified(url, "this machine", " Paris")]
    assert play.events_of(TransportDetected)[0].transport.kind == "NET/IB/GDRDMA"
    assert play.events_of(HostMessage) == []
    assert vllm.asked == [HEALTH, COMPLETIONS]
    assert play.ran == [("gpu-a", "nccl"), ("gpu-b", "nccl")]


def test_a_transport_that_was_not_known_in_time_is_told(vllm: FakeVllm) -> None:
    play = proving(
        serving(vllm.port), status_answer("world_size=2 rank=0 local_rank=0 backend=gloo"), nccl='{"lines": []}'
    )
    SmokeTest().run(play.stage)
    assert [event.transport.kind for event in play.events_of(TransportDetected)] == ["gloo"]


def test_one_host_has_no_transport(vllm: FakeVllm) -> None:
    play = proving(serving(vllm.port, hosts=1))
    SmokeTest().run(play.stage)
    assert play.events_of(TransportDetected) == []


def test_the_key_is_sent(vllm: FakeVllm) -> None:
    inventory = serving(vllm.port)
    serve = inventory.serve.model_copy(update={"api_key": SecretStr("sk-1")})
    SmokeTest().run(proving(inventory.model_copy(update={"serve": serve})).stage)
    assert vllm.keys == [None, "Bearer sk-1"]


def test_an_image_where_the_inventory_asks_for_it(vllm: FakeVllm) -> None:
    SmokeTest().run(proving(serving(vllm.port, prove_image=True)).stage)
    assert vllm.asked == [HEALTH, COMPLETIONS, "/v1/chat/completions"]


def test_an_endpoint_that_cannot_be_reached_from_here_is_asked_from_the_head() -> None:
    answer = json.dumps({"status": 200, "text": TOKEN})
    port = closed_port()
    play = proving(serving(port), http_request=answer)
    SmokeTest().run(play.stage)
    url = f"http://127.0.0.1:{port}"
    assert play.events_of(HostMessage)[0].line == f"{url} cannot be reached from here: asking from gpu-a"
    assert play.events_of(EndpointVerified) == [EndpointVerified(url, "gpu-a", " Paris")]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (NO_TOKEN, "the engine answered without a single token"),
        ("{}", "not a completion: {}"),
        (HANG, "no answer: timed out"),
    ],
)
def test_anything_but_a_token_is_no_proof(vllm: FakeVllm, body: str, cause: str) -> None:
    vllm.bodies[COMPLETIONS] = body
    error = failure(proving(serving(vllm.port), token=0.3))
    assert (error.host, error.cause, error.what) == ("gpu-a", cause, "a generated token")
    assert "run `up --restart`" in error.cure


def test_what_the_server_says_is_told(vllm: FakeVllm) -> None:
    del vllm.bodies[COMPLETIONS]
    assert failure(proving(serving(vllm.port))).cause.startswith("HTTP 404")


def test_an_engine_that_dies_over_it_is_not_waited_for(vllm: FakeVllm) -> None:
    vllm.bodies[COMPLETIONS] = HANG
    error = failure(proving(serving(vllm.port), status_answer("killed", Presence.DEAD, status=-9), token=60.0))
    assert error.cause == "vLLM was killed by SIGKILL"


def test_while_it_waits_the_engine_has_the_word(vllm: FakeVllm) -> None:
    vllm.bodies[COMPLETIONS] = HANG
    play = proving(serving(vllm.port), status_answer("one line\nCapturing CUDA graphs\n"), token=0.5)
    failure(play)
    assert {waiting.last for waiting in play.events_of(Waiting)} == {"Capturing CUDA graphs"}
