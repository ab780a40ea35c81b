"""One JSON object an event: for programs that watch, and for the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TextIO

from typing_extensions import TypedDict

from cluster.errors import HostError
from cluster.values import Announcement
from orchestrator.events import Event, HostMessage, Sink
from orchestrator.render import announce
from orchestrator.render.json_text import to_json
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
    return to_json({"event": event.name, "time": at.isoformat(timespec="milliseconds"), **values})


def _value(value: Any) -> Any:
    match value:
        case Announcement():
            return announce.document(value)
        case tuple():
            return [problem(item) if isinstance(item, HostError) else item for item in value]
    return value


class Problem(TypedDict):
    """An error that is looked at again: what the host said may be its log, which comes with each look."""

    kind: str
    host: str
    doing: str
    cause: str
    cure: str


def problem(error: HostError) -> Problem:
    return {
        "kind": error.kind,
        "host": error.host,
        "doing": error.doing,
        "cause": error.cause,
        "cure": error.cure,
    }
