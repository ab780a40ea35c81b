"""How the endpoint is asked: over SSH on the head, or at an address that leads to the same process.

An address alone proves nothing: on another network it may belong to another host. So the first request goes
without the key and asks for the start time of the process. The answer must equal the engine's own answer on the
head.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from cluster.command import Probe, last_json, program
from cluster.engine.requests import METRICS, Answer, EndpointRequest
from cluster.errors import HostError, NotReady
from cluster.inventory import Inventory
from cluster.remote.common.http_exchange import LONGEST_ANSWER, http_exchange
from cluster.transport.fleet import Fleet, both
from cluster.transport.host import Host
from cluster.values.base import shaped

#: Seconds for an address behind a possible firewall that drops packets, and for the head itself.
_ADDRESS_PATIENCE = 2.0
_HEAD_PATIENCE = 10.0

#: The number of workers that stand in for clients when the endpoint is unreachable from here.
_CLIENTS = 3

#: Bytes of an answer that another host passes on: JSON makes it longer.
_HANDED_ON = 2 * LONGEST_ANSWER

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_STARTED = re.compile(r"^process_start_time_seconds (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Endpoint:
    """A URL, and the origin of its requests: the host `via`, or this machine where `via` is None.

    `unit` is a folder on that host, or empty: a request is then sent only if that unit alone listens on the port.
    """

    url: str
    origin: str
    key: str = field(repr=False)
    venv: str
    via: Host | None = None
    unit: str = ""

    def ask(self, request: EndpointRequest, timeout: float) -> Answer:
        """Returns the answer; `timeout` is in seconds.

        Never raises for a failure of the endpoint; raises for an unreachable host.
        """
        return _ask_over(self.via, self, request, timeout) if self.via else _ask(self, request, timeout)

    def without_key(self) -> Endpoint:
        return replace(self, key="")


@dataclass(frozen=True)
class Located:
    """The place where the engine was found.

    `endpoint` is asked from here where it proved to be the engine, otherwise on the head. `on_head` is always
    asked on the head. `metrics` is the engine's answer there. `impostors` are URLs at which another program
    answers this machine.
    """

    endpoint: Endpoint
    on_head: Endpoint
    metrics: Answer
    impostors: tuple[str, ...] = ()


def locate(inventory: Inventory, head: Host, state: str, patience: float = _HEAD_PATIENCE) -> Located:
    """Asks on the head and from here at the same time, without the key.

    `state` is the cluster's folder on the head. The head has `patience` seconds for its answer. Raises the error
    that keeps us from the head.
    """
    key = inventory.serve.api_key
    secret, venv = key.get_secret_value() if key else "", inventory.runtime.venv
    on_head = Endpoint(local_url(inventory, ""), head.name, secret, venv, head, f"{state}/vllm")
    outside = [
        replace(on_head, url=url, origin="this machine", via=None, unit="") for url in _seen_here(inventory)
    ]
    metrics, answers = both(lambda: on_head.without_key().ask(METRICS, patience), lambda: _ask_each(outside))
    answering = [each for each, answer in zip(outside, answers, strict=True) if answer.status]
    same = [each for each, answer in zip(outside, answers, strict=True) if _is_same(metrics, answer)]
    impostors = tuple(each.url for each in answering if each not in same)
    return Located(same[0] if same else on_head, on_head, metrics, impostors)


def public_url(inventory: Inventory, endpoint: Endpoint) -> str:
    """Returns the URL for the operator. The URL that the head uses for itself works only there."""
    return _announceable(inventory)[0] if endpoint.unit else endpoint.url


def for_clients(inventory: Inventory, fleet: Fleet, located: Located) -> Endpoint:
    """Returns the endpoint to announce.

    It is asked at this very URL from here, otherwise from another host, otherwise from the head. Raises NotReady
    where no client can reach it.
    """
    if located.endpoint.via is None:
        return located.endpoint
    urls = _announceable(inventory)
    from_worker = _from_worker(inventory, fleet, located, urls)
    return from_worker or _from_head(inventory, located, urls)


def _from_worker(inventory: Inventory, fleet: Fleet, located: Located, urls: Sequence[str]) -> Endpoint | None:
    if is_loopback(inventory.serve.host):
        return None

    def first(worker: Host) -> Endpoint | None:
        asked = [replace(located.on_head, url=url, origin=worker.name, via=worker, unit="") for url in urls]
        return next((each for each in asked if _is_same(located.metrics, _answer(each))), None)

    workers = [spec.name for spec in inventory.workers[:_CLIENTS]]
    outcomes = fleet.each(first, among=workers).values()
    return next((each for each in outcomes if each and not isinstance(each, HostError)), None)


def _from_head(inventory: Inventory, located: Located, urls: Sequence[str]) -> Endpoint:
    """Returns the endpoint as the head asks it. The unit is known by its socket: its own answers are not
    needed."""
    asked = [replace(located.on_head, url=url) for url in urls]
    answers = [_answer(each) for each in asked]
    reached = [each for each, answer in zip(asked, answers, strict=True) if answer.status]
    if reached:
        return reached[0]
    why = "; ".join(f"{url}: {answer.text}" for url, answer in zip(urls, answers, strict=True))
    listens = f"vLLM listens at {inventory.serve.host}, but clients cannot reach this address: {why}"
    cure = (
        "set `serve: host:` to an address of the head that clients can reach, or to `::` for all of IPv6 and IPv4"
    )
    raise NotReady("a URL for clients", host=located.on_head.origin, cause=listens, cure=cure)


def _answer(endpoint: Endpoint) -> Answer:
    return endpoint.without_key().ask(METRICS, _ADDRESS_PATIENCE)


def _ask_each(endpoints: Sequence[Endpoint]) -> list[Answer]:
    """Asks all at once: a firewall that drops one request must not delay the others."""
    with ThreadPoolExecutor(len(endpoints)) as pool:
        return list(pool.map(_answer, endpoints))


def _is_same(one: Answer, other: Answer) -> bool:
    """Returns whether two answers to METRICS come from one process."""
    return bool(_started(one)) and _started(one) == _started(other)


def _started(metrics: Answer) -> str:
    """Returns the start time of the answering process, to the hundredth of a second; empty where it is missing."""
    match = _STARTED.search(metrics.text) if metrics.status == 200 else None
    return match[1] if match else ""


def _seen_here(inventory: Inventory) -> tuple[str, ...]:
    """Returns the URLs that may be reachable from here; the address that the operator uses comes first."""
    head = inventory.head
    return _urls(inventory, (head.address, head.cluster_address))


def _announceable(inventory: Inventory) -> tuple[str, ...]:
    """Returns the URLs for clients elsewhere. SSH's name of a host may be an alias that clients cannot resolve."""
    head = inventory.head
    return _urls(inventory, (head.cluster_address, head.address))


def _urls(inventory: Inventory, addresses: Sequence[str]) -> tuple[str, ...]:
    serve = inventory.serve
    bound = addresses if serve.host in _ANY else (serve.host,)
    return tuple(f"http://{_bracketed(address)}:{serve.port}" for address in dict.fromkeys(bound))


def local_url(inventory: Inventory, path: str) -> str:
    """Returns the URL that the head itself uses for the endpoint."""
    host = _ANY.get(inventory.serve.host, inventory.serve.host)
    return f"http://{_bracketed(host)}:{inventory.serve.port}{path}"


def is_loopback(host: str) -> bool:
    """Returns whether only the host itself reaches this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _ask(endpoint: Endpoint, request: EndpointRequest, timeout: float) -> Answer:
    return Answer(*http_exchange(endpoint.url + request.path, request.body, endpoint.key, timeout))


def _ask_over(host: Host, endpoint: Endpoint, request: EndpointRequest, timeout: float) -> Answer:
    payload = {
        "url": f"{endpoint.url}{request.path}",
        "body": request.body,
        "key": endpoint.key,
        "timeout": timeout,
        **({"unit": endpoint.unit} if endpoint.unit else {}),
    }
    title = f"ask the endpoint from {'the head' if endpoint.unit else 'another host'}"
    command = program("bench.http_request", payload, title=title, venv=endpoint.venv, timeout=timeout + 10)
    handed_on = replace(command, most=_HANDED_ON)
    return host.ask(Probe(handed_on, lambda output: shaped(Answer, last_json(output))))
