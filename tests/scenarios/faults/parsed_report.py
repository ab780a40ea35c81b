"""The report of a fault to an operator: its host, cause and cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ParsedReport:
    host: str
    cause: str
    cure: str

    @property
    def complete(self) -> bool:
        return all((self.host, self.cause, self.cure))


def from_error(report: dict[str, Any]) -> ParsedReport:
    """Returns the report of a failure, from its JSON."""
    if "errors" in report:
        return _combined([from_error(error) for error in report["errors"]])
    if "findings" in report:
        blocking = [finding for finding in report["findings"] if finding["severity"] == "blocking"]
        return _combined([ParsedReport(each["host"] or "all", each["found"], each["cure"]) for each in blocking])
    if "leftovers" in report:
        return _combined([ParsedReport(left["host"], left["what"], left["cure"]) for left in report["leftovers"]])
    if "lease" in report:
        return ParsedReport("head", report["message"], report["cure"])
    return ParsedReport(report.get("host", ""), report["cause"] or report["message"], report["cure"])


def from_event(event: dict[str, Any], host: str) -> ParsedReport | None:
    """Returns the report of an event about a problem of `host`, None for any other event."""
    match event:
        case {"event": "phase_failed", "error": error}:
            return from_error(error)
        case {"event": "waiting", "problems": list(problems)}:
            of_host = (each for each in problems if each["host"] == host)
            return next((ParsedReport(host, f"{e['doing']}: {e['cause']}", e["cure"]) for e in of_host), None)
    return None


def from_status(status: dict[str, Any]) -> ParsedReport | None:
    """Returns the report of every host with a problem, or else of the endpoint."""
    hosts = [
        ParsedReport(host["host"], host["problem"], host["cure"]) for host in status["hosts"] if host["problem"]
    ]
    if hosts:
        return _combined(hosts)
    endpoint = status["endpoint"]
    if endpoint and not endpoint["tokens"]:
        return ParsedReport(status["hosts"][0]["host"], endpoint["detail"], endpoint["cure"])
    return None


def _combined(reports: Sequence[ParsedReport]) -> ParsedReport:
    """Joins the reports of several hosts; equal texts stand once."""
    parts = ([getattr(report, part) for report in reports] for part in ("host", "cause", "cure"))
    return ParsedReport(*(", ".join(dict.fromkeys(filter(None, texts))) for texts in parts))
