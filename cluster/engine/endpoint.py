"""Asks the endpoint: from here where it can be reached, otherwise from the head itself."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cluster.command import Probe, last_json, program
from cluster.engine.requests import Answer, EndpointRequest
from cluster.inventory import Inventory
from cluster.transport.host import Host

#: A host behind a firewall drops what is sent to it; a reachable one answers the first packet in far less.
_CONNECT_PATIENCE = 2.0

#: Whatever asking can end in without an answer. A name with an empty label, or one of more than 63 characters,
#: cannot be encoded (UnicodeError).
_NO_ANSWER = (OSError, UnicodeError, http.client.HTTPException)

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Endpoint:
    """Where requests go: the URL that is announced, and from where it was reached."""

    url: str
    origin: str
    host: str
    port: int
    head: Host | None
    key: str
    venv: str

    def ask(self, request: EndpointRequest, timeout: float) -> Answer:
        """The answer; `timeout` in seconds. Never raises for what an endpoint can do; does for a lost head."""
        return _ask_over(self.head, self, request, timeout) if self.head else _ask(self, request, timeout)


def endpoint(inventory: Inventory, head: Host) -> Endpoint:
    """The first of the head's addresses that can be reached from here; through the head when none can."""
    serve = inventory.serve
    bound = (serve.host,) if serve.host not in _ANY else _addresses(inventory)
    reached = _first_reached(bound, serve.port)
    shown, asked = reached or bound[0], reached or _ANY.get(serve.host, serve.host)
    return Endpoint(
        url=f"http://{_bracketed(shown)}:{serve.port}",
        origin="this machine" if reached else head.name,
        host=asked,
        port=serve.port,
        head=None if reached else head,
        key=serve.api_key.get_secret_value() if serve.api_key else "",
        venv=inventory.runtime.venv,
    )


def _addresses(inventory: Inventory) -> tuple[str, ...]:
    """Both of the head, first the one that the operator uses."""
    head = inventory.head
    return tuple(dict.fromkeys((head.address, head.cluster_address)))


def local_url(inventory: Inventory, path: str) -> str:
    """The endpoint as the head itself reaches it."""
    host = _ANY.get(inventory.serve.host, inventory.serve.host)
    return f"http://{_bracketed(host)}:{inventory.serve.port}{path}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _first_reached(addresses: tuple[str, ...], port: int) -> str | None:
    """The first address that answers, tried all at once: a firewall that drops one must not hold up the others."""
    with ThreadPoolExecutor(len(addresses)) as pool:
        answers = pool.map(lambda address: _healthy(address, port), addresses)
    return next((address for address, healthy in zip(addresses, answers, strict=True) if healthy), None)


def _healthy(host: str, port: int) -> bool:
    """Whether a vLLM in good health answers there, asked without the key: anybody may listen on an address that
    is ours on another network only."""
    connection = http.client.HTTPConnection(host, port, timeout=_CONNECT_PATIENCE)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except _NO_ANSWER:
        return False
    finally:
        connection.close()


def _ask(endpoint: Endpoint, request: EndpointRequest, timeout: float) -> Answer:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout)
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    method, body = ("GET", None) if request.body is None else ("POST", json.dumps(request.body).encode())
    try:
        connection.request(method, request.path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(errors="replace"))
    except _NO_ANSWER as error:
        return Answer(0, str(error) or type(error).__name__)
    finally:
        connection.close()


def _ask_over(head: Host, endpoint: Endpoint, request: EndpointRequest, timeout: float) -> Answer:
    payload = {
        "url": f"http://{_bracketed(endpoint.host)}:{endpoint.port}{request.path}",
        "body": request.body,
        "key": endpoint.key,
        "timeout": timeout,
    }
    title = "ask the endpoint from the head"
    command = program("bench.http_request", payload, title=title, venv=endpoint.venv, timeout=timeout + 10)
    return head.ask(Probe(command, lambda output: Answer(**last_json(output))))
