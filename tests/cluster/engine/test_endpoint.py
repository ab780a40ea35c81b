"""Asking the endpoint: from here where it can be reached, otherwise from the head."""

from __future__ import annotations

import json
import re
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat

import pytest
from pydantic import SecretStr

from cluster.engine.endpoint import Endpoint, Located, for_clients, local_url, locate
from cluster.engine.requests import METRICS, Answer, completion
from cluster.errors import MalformedAnswer, NotReady, Unreachable
from cluster.inventory import Inventory
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from tests.cluster.builders import inventory
from tests.cluster.http_server import Served, closed_port, serving
from tests.cluster.launch.test_unit import sent
from tests.doubles import Answer as Scripted
from tests.doubles import Script, ScriptedTransport
from tests.timing import LIMIT, Stopwatch

COMPLETION = completion("ernie")


@pytest.fixture
def served() -> Iterator[Served]:
    answers: dict[str, tuple[int, str] | bytes] = {
        "/v1/completions": (200, '{"choices": []}'),
        "/metrics": (200, "process_start_time_seconds 1.79537062048e+09\nvllm:x 1\nä"),
        "/health": (200, ""),
        "/broken": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "/odd": b"SSH-2.0-OpenSSH\r\n",
    }
    with serving(answers) as one:
        yield one


def on_host(said: Scripted = "") -> tuple[Host, ScriptedTransport]:
    transport = ScriptedTransport({"http_request": said})
    return Host("gpu-a", transport), transport


def here(served: Served, key: str = "") -> Endpoint:
    return Endpoint(served.url(""), "this machine", key, "/opt/vllm")


def metrics(started: str) -> str:
    return f"# HELP process_start_time_seconds x\nprocess_start_time_seconds {started}\nvllm:x 1\n"


def said(status: int, text: str) -> str:
    return json.dumps({"status": status, "text": text})


OURS, THEIRS = metrics("1.79537062048e+09"), metrics("1.79537062049e+09")
SAYS_OURS, REFUSED = said(200, OURS), said(0, "refused")


def cluster(address: str, other: str = "", hosts: int = 1, **serve: object) -> Inventory:
    """An inventory whose head has these addresses."""
    one = inventory(hosts, serve=serve)
    where = {"address": address, "cluster_address": other or address}
    return one.model_copy(update={"hosts": (one.head.model_copy(update=where), *one.workers)})


def located(one: Inventory, on_head: Scripted = SAYS_OURS) -> Located:
    return locate(one, on_host(on_head)[0], "/state")


def announced(one: Inventory, on_head: Script, on_worker: Scripted = REFUSED) -> Endpoint:
    """Where clients are sent to; `on_head` are the answers there, the first of them to `locate`."""
    head, worker = (
        Host("gpu-a", ScriptedTransport({"http_request": on_head})),
        ScriptedTransport({"http_request": on_worker}),
    )
    return for_clients(one, Fleet([head, Host("gpu-b", worker)]), locate(one, head, "/state"))


def test_the_first_address_that_can_be_reached_is_announced(served: Served) -> None:
    found = located(cluster("127.0.0.9", "127.0.0.1", port=served.port))
    assert (found.endpoint.url, found.endpoint.origin, found.endpoint.via) == (
        served.url(""),
        "this machine",
        None,
    )
    assert found.impostors == ()


@pytest.mark.parametrize("theirs", [THEIRS, "{}", "process_start_time_seconds\n", ""])
def test_whoever_does_not_say_what_the_engine_says_is_not_taken_for_it_nor_shown_the_key(theirs: str) -> None:
    answers = {"/metrics": (200, theirs), "/health": (200, ""), "/v1/completions": (200, "{}")}
    with serving(answers) as stranger:
        found = located(cluster("127.0.0.1", port=stranger.port, api_key=SecretStr("hush")))
    assert found.endpoint is found.on_head
    assert found.impostors == (stranger.url(""),)
    assert [(asked.path, asked.key) for asked in stranger.asked] == [("/metrics", None)]


@pytest.mark.parametrize("engine", [said(200, "vllm:x 1\n"), said(404, OURS), said(0, "refused")])
def test_an_engine_that_does_not_say_when_it_started_is_asked_on_the_head(engine: str) -> None:
    with serving({"/metrics": (200, OURS)}) as anybody:
        found = located(cluster("127.0.0.1", port=anybody.port), engine)
    assert found.endpoint is found.on_head


def test_the_head_is_asked_without_the_key_and_only_where_the_engine_listens() -> None:
    head, transport = on_host(said(200, OURS))
    found = locate(cluster("127.0.0.1", port=closed_port(), api_key=SecretStr("hush")), head, "/state")
    asked = sent(transport.executed[0])
    assert (asked["url"].rpartition(":")[0], asked["key"], asked["unit"]) == (
        "http://127.0.0.1",
        "",
        "/state/vllm",
    )
    assert found.endpoint.key == "hush"
    assert "hush" not in repr(found)


def test_clients_are_sent_where_another_host_reached_the_same_process() -> None:
    one = cluster("alias.of.ssh.config", "127.0.0.9", hosts=2, port=8001)
    where = announced(one, said(200, OURS), said(200, OURS))
    assert (where.url, where.origin, where.unit) == ("http://127.0.0.9:8001", "gpu-b", "")


def test_clients_are_not_sent_to_a_stranger_that_another_host_reached() -> None:
    one = cluster("alias", "127.0.0.9", hosts=2, port=8001)
    where = announced(one, said(200, OURS), said(200, THEIRS))
    assert (where.url, where.origin, where.unit) == ("http://127.0.0.9:8001", "gpu-a", "/state/vllm")


def test_a_lost_worker_does_not_keep_the_endpoint() -> None:
    one = cluster("alias", "127.0.0.9", hosts=2, port=8001)
    assert announced(one, said(200, OURS), Unreachable("gpu-b", "ask")).origin == "gpu-a"


def test_no_other_host_is_asked_for_what_listens_on_the_head_alone() -> None:
    one = cluster("10.0.0.1", hosts=2, port=closed_port(), host="127.0.0.1")
    where = announced(one, said(200, OURS), AssertionError("asked"))
    assert (where.url, where.origin) == (f"http://127.0.0.1:{one.serve.port}", "gpu-a")


def test_a_url_that_nobody_reaches_is_not_announced() -> None:
    """As on hosts with IPv6 addresses alone, whose engine listens on IPv4."""
    one = cluster("fd00:66::2", "fd00:67::2", hosts=2, port=8001)
    with pytest.raises(NotReady) as caught:
        announced(one, [said(200, OURS), said(0, "Connection refused")])
    error = caught.value
    assert (error.host, error.what) == ("gpu-a", "a URL for clients")
    assert "listens at 0.0.0.0" in error.cause
    assert "http://[fd00:67::2]:8001: Connection refused" in error.cause
    assert error.cure.startswith("set `serve: host:` to an address of the head that clients can reach, or to `::`")


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
    assert here(served).ask(METRICS, 5) == Answer(200, "process_start_time_seconds 1.79537062048e+09\nvllm:x 1\nä")
    assert [(asked.method, asked.key) for asked in served.asked] == [("GET", None)]


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/broken", 0), ("/odd", 0)])
def test_bad_answers_are_answers(served: Served, path: str, status: int) -> None:
    answer = here(served).ask(type(METRICS)(path), 5)
    assert answer.status == status
    assert answer.text


def test_nobody_there_is_an_answer() -> None:
    nobody = Endpoint(f"http://127.0.0.1:{closed_port()}", "this machine", "", "/opt/vllm")
    assert nobody.ask(METRICS, 5).status == 0


@pytest.mark.parametrize("name", ["gpu..a", f"{'a' * 64}.b"], ids=["an empty label", "a long label"])
def test_a_name_that_cannot_be_encoded_is_no_answer(name: str) -> None:
    nobody = Endpoint(f"http://{name}:8000", "this machine", "", "/opt/vllm")
    answer = nobody.ask(METRICS, 5)
    assert answer.status == 0
    assert answer.text
    assert located(cluster(name)).endpoint.via


def test_the_head_is_asked_with_the_key_on_stdin() -> None:
    gpu_a, transport = on_host('{"status": 200, "text": "{}"}')
    where = Endpoint("http://[::1]:8000", "gpu-a", "hush", "/opt/vllm", gpu_a)
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
    gpu_a, _ = on_host(Unreachable("gpu-a", "ask"))
    with pytest.raises(Unreachable):
        Endpoint("http://127.0.0.1:8000", "gpu-a", "", "/opt/vllm", gpu_a).ask(METRICS, 5)
    with pytest.raises(Unreachable):
        locate(cluster("127.0.0.1", port=closed_port()), gpu_a, "/state")


#: Of small pieces there may not be enough within the time.
TOO_MUCH = "the answer is larger than 4 MiB|timed out"


def talking(*blocks: bytes) -> Callable[[socket.socket], None]:
    """Says these, the last one again and again."""

    def talk(connection: socket.socket) -> None:
        for block in chain(blocks[:-1], repeat(blocks[-1])):
            connection.sendall(block)

    return talk


def dripping(connection: socket.socket) -> None:
    """A byte at a time, each in less time than anybody waits for one."""
    pause = threading.Event()
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not pause.wait(0.05):
        connection.sendall(b"X")


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (dripping, "timed out"),
        (talking(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), TOO_MUCH),
        (talking(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536), TOO_MUCH),
        (talking(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 9000), TOO_MUCH),
        (talking(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000), TOO_MUCH),
        (talking(b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 60000 + b"\r\n"), TOO_MUCH),
    ],
)
def test_whoever_answers_has_one_time_and_one_size_for_all(
    talk: Callable[[socket.socket], None], why: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_once, args=(server, talk), daemon=True)
        thread.start()
        with Stopwatch() as watch:
            answer = here(Served("127.0.0.1", server.getsockname()[1])).ask(METRICS, 1.0)
        assert (answer.status, bool(re.search(why, answer.text))) == (0, True), answer
        assert watch.seconds < 5
        thread.join(LIMIT)
        assert not thread.is_alive()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def answer_once(server: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    connection, _ = server.accept()
    with suppress(OSError), connection:
        connection.recv(4096)
        talk(connection)


@pytest.mark.parametrize(
    "said", ['{"status": 200}', '{"status": "x", "text": ""}', '{"status": 1, "text": 5}', "{}"]
)
def test_what_a_host_hands_on_has_the_shape_of_an_answer(said: str) -> None:
    host, _ = on_host(said)
    with pytest.raises(MalformedAnswer):
        Endpoint("http://gpu-a:8000", "gpu-a", "", "/opt/vllm", host).ask(METRICS, 1.0)
