"""What runs where, as a table, and whether the endpoint generates tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import TypedDict

from cluster.values import EndpointStatus, HostStatus, Presence
from orchestrator.render.text import UNICODE, Marks, clean, duration, short

#: What one look at a cluster shows.
StatusView = tuple[Sequence[HostStatus], EndpointStatus | None]

_COLUMNS = ("HOST", "RAY", "VLLM", "GPUS USED", "UP", "")


def table(hosts: Sequence[HostStatus], endpoint: EndpointStatus | None = None, marks: Marks = UNICODE) -> str:
    """Text for an operator; hosts in the order given."""
    rows = [_COLUMNS, *(_cells(host, marks) for host in hosts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    shown = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*shown, "", _endpoint(endpoint, marks)])


def changes(before: StatusView | None, after: StatusView, marks: Marks = UNICODE) -> list[str]:
    """A line for each host, and one for the endpoint, that is not as it was; all of them where nothing was before.

    Time that passes and tokens that come are no change.
    """
    known = {host.host: _lasting(host) for host in before[0]} if before else {}
    lines = [_told(host, marks) for host in after[0] if known.get(host.host) != _lasting(host)]
    if before is None or _verdicts(before[1]) != _verdicts(after[1]):
        lines.append(_endpoint(after[1], marks))
    return lines


def _lasting(host: HostStatus) -> HostStatus:
    return replace(host, uptime=None)


def _verdicts(endpoint: EndpointStatus | None) -> tuple[object, ...] | None:
    return None if endpoint is None else (endpoint.url, endpoint.health, endpoint.tokens)


def _told(host: HostStatus, marks: Marks) -> str:
    name, ray, vllm, used, _, problem = _cells(host, marks)
    return f"{name}: ray {ray}, vllm {vllm}, {used} GPUs used{f', {problem}' if problem else ''}"


class StatusDocument(TypedDict):
    """What runs where; `endpoint` is null where no engine of this cluster runs."""

    hosts: Sequence[HostStatus]
    endpoint: EndpointStatus | None


class WatchedStatusDocument(StatusDocument):
    """What `--watch` writes, a line each time that something has changed; `time` is ISO 8601."""

    time: str


def document(hosts: Sequence[HostStatus], endpoint: EndpointStatus | None = None) -> StatusDocument:
    """For a program."""
    return {"hosts": hosts, "endpoint": endpoint}


def watched_document(time: str, look: StatusView) -> WatchedStatusDocument:
    return {"time": time, **document(*look)}


def _cells(host: HostStatus, marks: Marks) -> tuple[str, ...]:
    used = "?" if host.gpus_used is None else str(host.gpus_used)
    total = "?" if host.gpus is None else str(host.gpus)
    up = marks.skipped if host.uptime is None else duration(host.uptime)
    problem = f"{marks.failed} {short(host.problem)}{_next(host.cure)}" if host.problem else ""
    ray, vllm = _presence(host.ray, marks), _presence(host.vllm, marks)
    return clean(host.host), ray, vllm, f"{used}/{total}", up, problem


def _presence(presence: Presence | None, marks: Marks) -> str:
    if presence is None:
        return f"{marks.unknown} unknown"
    mark = {Presence.ALIVE: marks.done, Presence.DEAD: marks.failed, Presence.ABSENT: marks.skipped}[presence]
    return f"{mark} {presence}"


def _endpoint(endpoint: EndpointStatus | None, marks: Marks) -> str:
    if endpoint is None:
        return f"{marks.skipped} no endpoint"
    health = {True: "healthy", False: "not healthy", None: "health unknown"}[endpoint.health]
    tokens = {True: "generates tokens", False: "no tokens", None: "tokens not checked"}[endpoint.tokens]
    detail = f" ({short(endpoint.detail)}){_next(endpoint.cure)}" if endpoint.detail else ""
    return f"{_verdict(endpoint, marks)} {clean(endpoint.url)}: {health}, {tokens}{detail}"


def _next(cure: str) -> str:
    return f"; next: {short(cure)}" if cure else ""


def _verdict(endpoint: EndpointStatus, marks: Marks) -> str:
    known = (endpoint.health, endpoint.tokens)
    if False in known:
        return marks.failed
    return marks.unknown if None in known else marks.done
