"""What runs where, and whether tokens come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from cluster.command import Command, Result
from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.state import status as module
from cluster.state.desired import ray_unit, vllm_unit
from cluster.state.status import status
from cluster.values import EndpointStatus, GpuProcess, HostStatus, Presence
from tests.cluster import builders
from tests.doubles import Script
from tests.orchestrator.fake_vllm import HANG, TOKEN, FakeVllm, closed_port, served
from tests.orchestrator.scripted_stage import asked_for_real, facts_answer, payload, scripted_fleet, status_answer

OURS = GpuProcess(pid=1, name="VLLM::Worker", used_mib=70000, ours=True)
ENDED = "Starting to load model\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.00 GiB.\n"
METRICS = 'vllm:num_requests_running{{engine="0"}} {}\nvllm:generation_tokens_total{{engine="0"}} {}\n'
ABSENT, ALIVE, DEAD = Presence.ABSENT, Presence.ALIVE, Presence.DEAD


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    with served({"/v1/completions": TOKEN, "/metrics": METRICS.format(0, 100)}) as server:
        yield server


REFUSED = '{"status": 0, "text": "refused"}'


def shown(
    inventory: Inventory, answer: Script = asked_for_real, log: str = ENDED, **answers: Script
) -> tuple[list[HostStatus], EndpointStatus | None]:
    """`answers` by host, dashes written as underscores; the others are healthy, and nothing runs there."""
    looks = {name.replace("_", "-"): answer for name, answer in answers.items()}
    healthy: dict[str, Script] = {spec.name: facts_answer(builders.facts(spec)) for spec in inventory.hosts}
    # What is asked from the head itself, where nothing healthy answers from here.
    asked: dict[str, Script] = {
        "http_request": answer,
        "unit_status vllm": status_answer(log, DEAD),
        "unit_status ray": status_answer("", DEAD),
    }
    fleet, _, _ = scripted_fleet(inventory, lambda name: {"facts": {**healthy, **looks}[name], **asked}, {})
    return status(inventory, fleet)


def serving(vllm: FakeVllm, presence: Presence = ALIVE) -> tuple[Inventory, str]:
    """One host on which the engine of this server runs as wanted, and how it is seen."""
    one = builders.inventory(hosts=1, serve={"host": "127.0.0.1", "port": vllm.port})
    engine = builders.alive(vllm_unit(one, builders.seen(one)), presence=presence)
    return one, facts_answer(
        builders.facts(one.head, vllm=engine, gpus=(builders.card(0, OURS), builders.card(1)))
    )


def endpoint(vllm: FakeVllm) -> EndpointStatus:
    one, seen = serving(vllm)
    found = shown(one, gpu_a=seen)[1]
    assert found is not None
    assert found.url == f"http://127.0.0.1:{vllm.port}"
    return found


def test_nothing_runs() -> None:
    table, found = shown(builders.inventory())
    assert table == [HostStatus(name, ABSENT, ABSENT, 0, 8, None) for name in ("gpu-a", "gpu-b")]
    assert found is None


def test_units_gpus_and_the_oldest_age() -> None:
    two = builders.inventory()
    ray = builders.alive(ray_unit(two, builders.view(two.head)), age=90.0)
    facts = builders.facts(
        two.head, ray=ray, vllm=builders.dead(), gpus=(builders.card(0, OURS), builders.card(1))
    )
    status = shown(two, gpu_a=facts_answer(facts))[0][0]
    assert replace(status, problem="", cure="") == HostStatus("gpu-a", ALIVE, DEAD, 1, 2, 90.0)
    assert status.problem.startswith("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.00 GiB.")
    assert status.cure.endswith("`up` starts it again")


def test_a_lost_host_hides_nothing_of_the_others() -> None:
    lost = Unreachable("gpu-b", "connect", "timed out", cause="nothing answers at 10.0.0.2:22", cure="see to it")
    table, _ = shown(builders.inventory(), gpu_b=lost)
    assert table[0].ray is ABSENT
    problem = ("nothing answers at 10.0.0.2:22", "see to it")
    assert table[1] == HostStatus("gpu-b", None, None, None, None, None, *problem)


def test_a_dead_engine_is_not_asked(vllm: FakeVllm) -> None:
    one, seen = serving(vllm, DEAD)
    assert shown(one, gpu_a=seen)[1] is None
    assert vllm.asked == []


def test_an_idle_engine_is_asked_for_a_token(vllm: FakeVllm) -> None:
    found = endpoint(vllm)
    assert (found.health, found.tokens, found.detail) == (True, True, "it generated a token just now")
    assert vllm.asked == ["/metrics", "/metrics", "/health", "/metrics", "/v1/completions"]


def test_a_stranger_at_an_address_of_the_head_gets_no_key(vllm: FakeVllm) -> None:
    """The engine is asked on the head, and that is said."""
    one, seen = serving(vllm)
    serve = one.serve.model_copy(update={"api_key": SecretStr("hush")})
    found = shown(one.model_copy(update={"serve": serve}), on_the_head, gpu_a=seen)[1]
    assert found
    assert (found.health, found.tokens, found.detail.split("; ")[:2]) == (
        True,
        True,
        ["it generated a token just now", "asked on gpu-a"],
    )
    assert vllm.keys == [None]


def on_the_head(command: Command) -> Result:
    """An engine that started at another time than what answers from here."""
    text = TOKEN if "completions" in payload(command)["url"] else "process_start_time_seconds 1\n"
    return Result(0, json.dumps({"status": 200, "text": text}), "")


def test_who_listens_in_the_place_of_the_engine_is_told(vllm: FakeVllm) -> None:
    one, seen = serving(vllm)
    taken = (
        '{"status": 0, "text": "port 1 of this host is not our engine\'s: bob listens on it", "stranger": true}'
    )
    found = shown(one, taken, gpu_a=seen)[1]
    assert found
    assert (found.health, found.tokens) == (False, None)
    assert "bob listens on it" in found.detail
    assert "the key was not sent" in found.cure


def test_a_busy_engine_is_known_by_its_counter_and_not_asked(vllm: FakeVllm) -> None:
    busy = METRICS.format(3, 100)
    vllm.bodies["/metrics"] = [busy, busy, busy, busy, METRICS.format(3, 101)]
    found = endpoint(vllm)
    assert (found.tokens, found.detail) == (True, "3 requests are running, 101 tokens so far")
    assert "/v1/completions" not in vllm.asked


def test_a_wedged_engine(vllm: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOKEN_PATIENCE", 0.05)
    vllm.bodies["/metrics"] = METRICS.format(3, 100)
    found = endpoint(vllm)
    assert (found.health, found.tokens) == (True, False)
    assert found.cure == "`up --restart` starts vLLM again"
    assert found.detail == "3 requests are running, but no token came within 0.05 s"


def test_an_idle_engine_that_gives_no_token(vllm: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOKEN_PATIENCE", 0.2)
    vllm.bodies["/v1/completions"] = HANG
    assert endpoint(vllm).tokens is False


def test_without_metrics_it_is_asked(vllm: FakeVllm) -> None:
    del vllm.bodies["/metrics"]
    assert endpoint(vllm).tokens is True


def test_one_that_is_still_loading(vllm: FakeVllm) -> None:
    del vllm.bodies["/health"]
    found = endpoint(vllm)
    assert (found.health, found.tokens, found.detail) == (False, None, "/health answers 404")


def test_one_that_does_not_listen_yet_says_how_far_it_is() -> None:
    one = builders.inventory(hosts=1, serve={"host": "127.0.0.1", "port": closed_port()})
    engine = builders.alive(vllm_unit(one, builders.seen(one)))
    found = shown(one, REFUSED, gpu_a=facts_answer(builders.facts(one.head, vllm=engine)))[1]
    assert found
    assert (found.health, found.tokens, found.detail) == (False, None, "loading weights")


def test_one_that_the_inventory_no_longer_describes(vllm: FakeVllm) -> None:
    one, seen = serving(vllm)
    changed = one.model_copy(update={"serve": one.serve.model_copy(update={"arguments": ("--enforce-eager",)})})
    found = shown(changed, gpu_a=seen)[1]
    assert found
    assert found.detail.endswith("it is outdated: `up` would replace it")


def test_one_that_has_been_ready_and_is_silent_does_not_load(vllm: FakeVllm) -> None:
    one, seen = serving(vllm)
    del vllm.bodies["/health"]
    found = shown(one, log="INFO:     Application startup complete.\n", gpu_a=seen)[1]
    assert found
    assert (found.health, found.tokens) == (False, False)
    assert found.detail == "it no longer answers: /health answers 404"
    assert found.cure == "`up --restart` starts vLLM again"
