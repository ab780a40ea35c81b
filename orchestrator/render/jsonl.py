"""One JSON object an event: for programs that watch, and for the journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, TextIO

from cluster.errors import ClusterError, HostError
from cluster.values import Announcement, Excused, Finding, NcclTransport
from orchestrator.events import Event, HostMessage, Sink
from orchestrator.render import announce, failure
from orchestrator.render.text import write


def utc() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def sink(stream: TextIO, now: Callable[[], datetime] = utc) -> Sink:
    """Writes a JSON line an event to `stream`."""

    def show(event: Event) -> None:
        write(stream, line(event, now()) + "\n")

    return show


def line(event: Event, at: datetime) -> str:
    """`{"event": "phase_done", "time": "…", …}`: ASCII alone, so no encoding is in its way."""
    values = {field.name: _value(getattr(event, field.name)) for field in fields(event)}
    if isinstance(event, HostMessage):
        values["line"] = event.line
    return json.dumps({"event": event.name, "time": at.isoformat(timespec="milliseconds"), **values})


def _value(value: Any) -> Any:
    match value:
        case ClusterError():
            return failure.report(value)
        case tuple():
            return [_problem(item) if isinstance(item, HostError) else _value(item) for item in value]
        case Finding() | Excused() | NcclTransport():
            return asdict(value)
        case Announcement():
            return announce.document(value)
    return value


def _problem(error: HostError) -> dict[str, Any]:
    """An error that is looked at again: what the host said may be its log, which comes with each look."""
    report = failure.report(error)
    return {key: report[key] for key in ("kind", "host", "doing", "cause", "cure")}
