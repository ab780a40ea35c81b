"""An error in few words: for screens that have a line for it, and a mark beside each host."""

from __future__ import annotations

from cluster.errors import ClusterError, FleetError, HostError, NotReady, NotReleased, PreflightFailed
from orchestrator.render.failure import headline
from orchestrator.render.text import lines_of


def brief(error: ClusterError) -> str:
    """The headline with the cause, on one line."""
    cause = " ".join(lines_of(error.cause))
    return f"{headline(error)}{f': {cause}' if cause else ''}"


def blamed(error: ClusterError) -> list[str]:
    """The hosts that it is about."""
    match error:
        case FleetError():
            return [host_error.host for host_error in error.errors]
        case HostError() | NotReady():
            return [error.host]
        case PreflightFailed():
            return [finding.host for finding in error.findings if finding.blocking]
        case NotReleased():
            return [leftover.host for leftover in error.leftovers]
    return []
