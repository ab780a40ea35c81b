"""What a person was told of a fault: where, why, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Told:
    host: str
    cause: str
    cure: str

    @property
    def whole(self) -> bool:
        return all((self.host, self.cause, self.cure))


def of_report(report: dict[str, Any]) -> Told:
    """Of a failure, as the program tells it to programs."""
    if "errors" in report:
        return _together([of_report(one) for one in report["errors"]])
    if "findings" in report:
        found = [one for one in report["findings"] if one["severity"] == "blocking"]
        return _together([Told(one["host"] or "all", one["found"], one["cure"]) for one in found])
    if "leftovers" in report:
        return _together([Told(one["host"], one["what"], one["cure"]) for one in report["leftovers"]])
    if "lease" in report:
        return Told("head", report["message"], report["cure"])
    return Told(report.get("host", ""), report["cause"] or report["message"], report["cure"])


def of_event(event: dict[str, Any], host: str) -> Told | None:
    """Of an event that says that something is wrong with `host`, if this one does."""
    match event:
        case {"event": "phase_failed", "error": error}:
            return of_report(error)
        case {"event": "waiting", "last": str(last)} if f"{host}: " in last:
            cause, _, cure = last.partition(" (")
            return Told(host, cause.partition(f"{host}: ")[2], cure.rstrip(")"))
    return None


def of_status(status: dict[str, Any]) -> Told | None:
    """Of every host that something is wrong with, or else of the endpoint."""
    ailing = [Told(one["host"], one["problem"], one["cure"]) for one in status["hosts"] if one["problem"]]
    if ailing:
        return _together(ailing)
    endpoint = status["endpoint"]
    if endpoint and not endpoint["tokens"]:
        return Told(status["hosts"][0]["host"], endpoint["detail"], endpoint["cure"])
    return None


def _together(told: Sequence[Told]) -> Told:
    """Several hosts at once; what several say alike is said once."""
    parts = ([getattr(one, part) for one in told] for part in ("host", "cause", "cure"))
    return Told(*(", ".join(dict.fromkeys(filter(None, words))) for words in parts))
