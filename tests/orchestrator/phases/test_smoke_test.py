"""Only a token is a proof."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from cluster.command import Command, Result
from cluster.errors import NotReady
from cluster.inventory import Inventory
from cluster.values import Presence
from orchestrator.events import EndpointVerified, HostMessage, TransportDetected, Waiting
from orchestrator.phases.smoke_test import SmokeTest
from tests.cluster import builders
from tests.doubles import Script
from tests.orchestrator.fake_vllm import HANG, TOKEN, FakeVllm, closed_port, served
from tests.orchestrator.scripted_stage import ScriptedRun, payload, scripted_run, status_answer

NO_TOKEN = json.dumps({"usage": {"completion_tokens": 0}, "choices": [{"text": ""}]})
CHAT = json.dumps({"usage": {"completion_tokens": 1}, "choices": [{"message": {"content": "red"}}]})
IB = "gpu-b:71:90 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA"
METRICS = "/metrics"
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
    assert vllm.asked == [METRICS, METRICS, COMPLETIONS]
    assert play.ran == [("gpu-a", "http_request"), ("gpu-a", "nccl"), ("gpu-b", "nccl")]


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


def with_key(vllm: FakeVllm, *guarded: str) -> ScriptedRun:
    """Before an engine that asks for the key on these paths."""
    vllm.key, vllm.guarded = "sk-1", guarded
    inventory = serving(vllm.port)
    serve = inventory.serve.model_copy(update={"api_key": SecretStr(vllm.key)})
    return proving(inventory.model_copy(update={"serve": serve}))


def test_the_key_is_sent_and_its_want_is_refused(vllm: FakeVllm) -> None:
    play = with_key(vllm, COMPLETIONS, "/invocations")
    SmokeTest().run(play.stage)
    assert vllm.keys == [None, None, "Bearer sk-1", None, None, None]
    assert vllm.asked[3:] == [COMPLETIONS, "/invocations", "/scale_elastic_ep"]
    assert len(play.events_of(EndpointVerified)) == 1


@pytest.mark.parametrize(
    ("route", "body"), [("/invocations", TOKEN), ("/scale_elastic_ep", ""), (COMPLETIONS, "")]
)
def test_a_route_that_answers_without_the_key_is_a_failure(vllm: FakeVllm, route: str, body: str) -> None:
    vllm.bodies.setdefault(route, body)
    others = {COMPLETIONS, "/invocations", "/scale_elastic_ep"} - {route}
    play = with_key(vllm, *others)
    error = failure(play)
    assert (error.host, error.what) == ("gpu-a", "a refusal without the key")
    assert error.cause == f"POST {route} without the key was not refused (HTTP 200)"
    assert "`serve: api_key:`" in error.cure
    assert play.events_of(EndpointVerified) == []


def test_a_route_that_says_nothing_without_the_key_has_not_refused(
    vllm: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.phases.smoke_test._REFUSAL", 0.2)
    vllm.bodies["/invocations"] = HANG
    assert failure(with_key(vllm, COMPLETIONS)).cause.endswith("was not refused (no answer: timed out)")


def test_a_stranger_at_the_address_gets_no_key_and_is_not_announced(vllm: FakeVllm) -> None:
    """Who answers here says another start of its process than the engine does on its host."""

    def on_host(command: Command) -> Result:
        asked = payload(command)
        keys.append(asked["key"])
        if "metrics" in asked["url"]:
            return Result(0, json.dumps({"status": 200, "text": "process_start_time_seconds 1\n"}), "")
        return Result(0, json.dumps({"status": 200 if asked["key"] else 401, "text": TOKEN}), "")

    keys: list[str] = []
    play = with_key(vllm)
    play = proving(play.stage.inventory, http_request=on_host)
    SmokeTest().run(play.stage)
    assert vllm.keys == [None], "the stranger"
    assert "sk-1" in keys
    (message,) = play.events_of(HostMessage)
    assert (message.severity, "is not proved from here to be this engine" in message.message) == ("warning", True)
    assert play.events_of(EndpointVerified)[0].origin == "gpu-a"


def test_who_listens_on_the_head_in_place_of_the_engine_gets_no_key() -> None:
    taken = json.dumps(
        {"status": 0, "text": "port 8000 of this host does not belong to this engine: bob", "stranger": True}
    )
    error = failure(proving(serving(closed_port()), http_request=taken))
    assert (error.host, error.cause) == ("gpu-a", "port 8000 of this host does not belong to this engine: bob")
    assert "ss -ltnp" in error.cure


def test_an_engine_whose_server_says_nothing_is_waited_for(vllm: FakeVllm) -> None:
    play = proving(serving(closed_port()), token=0.3)
    error = failure(play)
    assert (error.what, error.cause) == ("an answer from the engine", "no server answers on the head itself")


def test_an_image_where_the_inventory_asks_for_it(vllm: FakeVllm) -> None:
    SmokeTest().run(proving(serving(vllm.port, prove_image=True)).stage)
    assert vllm.asked == [METRICS, METRICS, COMPLETIONS, "/v1/chat/completions"]


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
        (NO_TOKEN, "the engine answered without a token"),
        ("{}", "the answer is not a completion: {}"),
        (HANG, "the endpoint did not answer: timed out"),
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
