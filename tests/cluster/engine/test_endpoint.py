"""Asking the endpoint: from here where it can be reached, otherwise from the head."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from cluster.engine.endpoint import Endpoint, endpoint, local_url
from cluster.engine.requests import METRICS, Answer, completion
from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.inventory.models import ServeSpec
from cluster.transport.host import Host
from tests.cluster.builders import inventory
from tests.cluster.http_server import Served, closed_port, serving
from tests.cluster.launch.test_unit import sent
from tests.doubles import Answer as Scripted
from tests.doubles import ScriptedTransport

COMPLETION = completion("ernie")


@pytest.fixture
def served() -> Iterator[Served]:
    answers: dict[str, tuple[int, str] | bytes] = {
        "/v1/completions": (200, '{"choices": []}'),
        "/metrics": (200, "vllm:x 1\nä"),
        "/health": (200, ""),
        "/broken": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "/odd": b"SSH-2.0-OpenSSH\r\n",
    }
    with serving(answers) as one:
        yield one


def head(said: Scripted = "") -> tuple[Host, ScriptedTransport]:
    transport = ScriptedTransport({"http_request": said})
    return Host("gpu-a", transport), transport


def here(served: Served, key: str = "") -> Endpoint:
    return Endpoint(served.url(""), "this machine", served.host, served.port, None, key, "/opt/vllm")


def whose_head_is_at(address: str, other: str = "", **serve: object) -> Inventory:
    """An inventory of one host with these addresses."""
    one = inventory(1, serve=serve)
    where = {"address": address, "cluster_address": other or address}
    return one.model_copy(update={"hosts": (one.head.model_copy(update=where),)})


def test_the_first_address_that_can_be_reached_is_announced(served: Served) -> None:
    found = endpoint(whose_head_is_at("127.0.0.9", "127.0.0.1", port=served.port), head()[0])
    assert (found.url, found.origin, found.head) == (served.url(""), "this machine", None)


def test_somebody_elses_server_on_such_an_address_is_not_taken_for_ours_nor_shown_the_key() -> None:
    with serving({}) as stranger:
        gpu_a, _ = head()
        one = whose_head_is_at("127.0.0.1", port=stranger.port, api_key=SecretStr("hush"))
        assert endpoint(one, gpu_a).head is gpu_a
        assert [asked.key for asked in stranger.asked] == [None]


def test_otherwise_the_head_asks_itself() -> None:
    port = closed_port()
    gpu_a, _ = head()
    found = endpoint(whose_head_is_at("127.0.0.1", "127.0.0.9", port=port), gpu_a)
    assert (found.url, found.origin, found.head) == (f"http://127.0.0.1:{port}", "gpu-a", gpu_a)
    assert found.host == "127.0.0.1"


def test_a_server_bound_to_one_address_is_asked_there() -> None:
    port = closed_port()
    found = endpoint(whose_head_is_at("127.0.0.1", host="127.0.0.3", port=port), head()[0])
    assert (found.url, found.host) == (f"http://127.0.0.3:{port}", "127.0.0.3")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000/health"),
        ("::", "http://[::1]:8000/health"),
        ("10.0.0.1", "http://10.0.0.1:8000/health"),
        ("fd00::1", "http://[fd00::1]:8000/health"),
    ],
)
def test_how_the_head_reaches_itself(host: str, url: str) -> None:
    assert local_url(inventory(serve={"host": host}), "/health") == url


def test_a_post_carries_the_body_and_the_key(served: Served) -> None:
    assert here(served, "hush").ask(COMPLETION, 5) == Answer(200, '{"choices": []}')
    (asked,) = served.asked
    assert (asked.method, asked.path, asked.key) == ("POST", "/v1/completions", "Bearer hush")
    assert json.loads(asked.body) == COMPLETION.body


def test_a_get_carries_neither(served: Served) -> None:
    assert here(served).ask(METRICS, 5) == Answer(200, "vllm:x 1\nä")
    assert [(asked.method, asked.key) for asked in served.asked] == [("GET", None)]


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/broken", 0), ("/odd", 0)])
def test_bad_answers_are_answers(served: Served, path: str, status: int) -> None:
    answer = here(served).ask(type(METRICS)(path), 5)
    assert answer.status == status
    assert answer.text


def test_nobody_there_is_an_answer() -> None:
    nobody = Endpoint("", "this machine", "127.0.0.1", closed_port(), None, "", "/opt/vllm")
    assert nobody.ask(METRICS, 5).status == 0


@pytest.mark.parametrize("name", ["gpu..a", f"{'a' * 64}.b"], ids=["an empty label", "a long label"])
def test_a_name_that_cannot_be_encoded_is_no_answer(name: str) -> None:
    nobody = Endpoint("", "this machine", name, 8000, None, "", "/opt/vllm")
    answer = nobody.ask(METRICS, 5)
    assert answer.status == 0
    assert answer.text
    gpu_a, _ = head()
    assert endpoint(whose_head_is_at(name), gpu_a).head is gpu_a


def test_the_head_is_asked_with_the_key_on_stdin() -> None:
    gpu_a, transport = head('{"status": 200, "text": "{}"}')
    where = Endpoint("http://10.0.0.1:8000", "gpu-a", "::1", 8000, gpu_a, "hush", "/opt/vllm")
    assert where.ask(COMPLETION, 5) == Answer(200, "{}")
    (command,) = transport.executed
    assert sent(command) == {
        "url": "http://[::1]:8000/v1/completions",
        "body": COMPLETION.body,
        "key": "hush",
        "timeout": 5,
    }
    assert "hush" not in command.line()
    assert command.timeout > 5


def test_a_lost_head_is_an_error() -> None:
    gpu_a, _ = head(Unreachable("gpu-a", "ask"))
    with pytest.raises(Unreachable):
        Endpoint("", "gpu-a", "127.0.0.1", 8000, gpu_a, "", "/opt/vllm").ask(METRICS, 5)


def test_the_key_of_the_inventory_is_used() -> None:
    serve = ServeSpec.model_construct(tensor_parallel_size=16, port=closed_port(), api_key=SecretStr("hush"))
    one = whose_head_is_at("127.0.0.1").model_copy(update={"serve": serve})
    assert endpoint(one, head()[0]).key == "hush"
