"""What a program gets of an error: every field, nothing cut. One function for each class with keys of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from typing_extensions import TypedDict

from cluster import errors
from cluster.values import Finding, Lease, Leftover


class _Head(TypedDict):
    kind: str
    message: str
    cause: str
    cure: str


class Report(_Head):
    """An error. `cause` is what is known to be behind it, `cure` the next thing to do; both may be empty."""

    notes: list[str]


class _Place(TypedDict):
    host: str
    doing: str
    said: str


class HostReport(_Place, Report):
    """An error of one host: what the program was doing there, and what the host said."""


class CommandFailedReport(HostReport):
    """A command on a host ended with another status than 0; below 0: the connection broke under it."""

    command: str
    status: int


class CommandTimedOutReport(HostReport):
    """A command on a host was still running after `timeout` seconds."""

    command: str
    timeout: float


class FleetReport(Report):
    """Errors of several hosts, in the order of the hosts."""

    errors: Sequence[errors.HostError]


class InventoryReport(Report):
    """An inventory that cannot be used. Each problem names the line and the key."""

    path: str
    problems: Sequence[str]


class PreflightReport(Report):
    """At least one finding is blocking; `findings` are all findings of all hosts."""

    findings: Sequence[Finding]


class NotReadyReport(Report):
    """`what` did not come within `waited` seconds (0: it was known at once). `last` is the last that was seen."""

    what: str
    waited: float
    last: str
    host: str


class InUseReport(Report):
    """A unit that another operator launched serves on `host`, and would have been stopped."""

    host: str
    whose: str


class LeaseReport(Report):
    """Another operator holds the lease of the cluster."""

    lease: Lease


class NotReleasedReport(Report):
    """What is left on the hosts after all was tried."""

    leftovers: Sequence[Leftover]


@singledispatch
def report(error: errors.ClusterError) -> Report:
    """Returns the report of the error; errors and values in it are not JSON yet."""
    return {**_head(error), "notes": _notes(error)}


def _head(error: errors.ClusterError) -> _Head:
    return {"kind": error.kind, "message": error.message, "cause": error.cause, "cure": error.cure}


def _notes(error: errors.ClusterError) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def _place(error: errors.HostError) -> _Place:
    return {"host": error.host, "doing": error.doing, "said": error.output}


@report.register
def _(error: errors.HostError) -> HostReport:
    return {**_head(error), **_place(error), "notes": _notes(error)}


@report.register
def _(error: errors.CommandFailed) -> CommandFailedReport:
    return {
        **_head(error),
        **_place(error),
        "command": error.command.shown(),
        "status": error.status,
        "notes": _notes(error),
    }


@report.register
def _(error: errors.CommandTimedOut) -> CommandTimedOutReport:
    return {
        **_head(error),
        **_place(error),
        "command": error.command.shown(),
        "timeout": error.command.timeout,
        "notes": _notes(error),
    }


@report.register
def _(error: errors.FleetError) -> FleetReport:
    return {**_head(error), "errors": error.errors, "notes": _notes(error)}


@report.register
def _(error: errors.InventoryError) -> InventoryReport:
    return {**_head(error), "path": error.path, "problems": error.problems, "notes": _notes(error)}


@report.register
def _(error: errors.PreflightFailed) -> PreflightReport:
    return {**_head(error), "findings": error.findings, "notes": _notes(error)}


@report.register
def _(error: errors.NotReady) -> NotReadyReport:
    return {
        **_head(error),
        "what": error.what,
        "waited": error.waited or 0.0,
        "last": error.last,
        "host": error.host,
        "notes": _notes(error),
    }


@report.register
def _(error: errors.InUse) -> InUseReport:
    return {**_head(error), "host": error.host, "whose": error.whose, "notes": _notes(error)}


@report.register
def _(error: errors.LeaseHeld) -> LeaseReport:
    return {**_head(error), "lease": error.lease, "notes": _notes(error)}


@report.register
def _(error: errors.NotReleased) -> NotReleasedReport:
    return {**_head(error), "leftovers": error.leftovers, "notes": _notes(error)}
