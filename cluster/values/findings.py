"""Statements about hosts, clusters and endpoints: findings, leases, leftovers, the announcement. All are
frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cluster.values.facts import Presence

Severity = Literal["blocking", "warning", "unchecked"]


@dataclass(frozen=True)
class Finding:
    """A fact that differs from what it must be, or that could not be checked (`unchecked`).

    `name` is that of the check. `host` is empty where the finding is about several hosts together. `source` names
    the reference of the fact (a thread, a manual, a measurement).
    """

    name: str
    host: str
    severity: Severity
    found: str
    wanted: str = ""
    why: str = ""
    cure: str = ""
    source: str = ""

    @property
    def blocking(self) -> bool:
        return self.severity == "blocking"


@dataclass(frozen=True)
class Excused:
    """A finding that does not count, and the reason: it was skipped here, or the inventory accepts it."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class CheckReport:
    """The results of the checks, in the order of the checks.

    `passed`, `skipped` and `untried` are names of checks. A check that did not run has not passed.
    """

    findings: tuple[Finding, ...] = ()
    excused: tuple[Excused, ...] = ()
    passed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.blocking)


@dataclass(frozen=True)
class Lease:
    """The holder of a cluster: the operator, their computer, since when (ISO 8601) and the reason."""

    owner: str
    machine: str
    since: str
    reason: str


@dataclass(frozen=True)
class Leftover:
    """A resource that the cluster still holds, and its fix by hand; not `provable` where it could not be
    checked."""

    host: str
    what: str
    cure: str = ""
    provable: bool = True


@dataclass(frozen=True)
class NcclTransport:
    """The transport that carries the ranks' data between the hosts, in NCCL's terms; gloo where the ranks are
    CPUs.

    `evidence` are the ranks' own log lines.
    """

    kind: Literal["NET/IB/GDRDMA", "NET/IB", "NET/Socket", "gloo", "unknown"]
    evidence: str = ""


@dataclass(frozen=True)
class Announcement:
    """The result for the operator: an endpoint that has generated a token in this very run."""

    url: str
    model: str
    served_name: str
    tensor_parallel_size: int
    pipeline_parallel_size: int
    hosts: tuple[str, ...]
    gpus: int
    transport: NcclTransport | None
    kv_cache_tokens: int | None
    proved_from: str
    token: str
    needs_key: bool
    seconds: tuple[tuple[str, float], ...] = field(default=())


@dataclass(frozen=True)
class LogLine:
    """A line of a log; `source` is the unit, or the name of the file."""

    source: str
    text: str


@dataclass(frozen=True)
class HostStatus:
    """The status of one host.

    A field is None where the host could not be asked. `problem` says what is wrong and `cure` is the fix; both may
    be empty. `uptime` is in seconds.
    """

    host: str
    ray: Presence | None
    vllm: Presence | None
    gpus_used: int | None
    gpus: int | None
    uptime: float | None
    problem: str = ""
    cure: str = ""


@dataclass(frozen=True)
class EndpointStatus:
    """The status of the endpoint.

    A field is None where the endpoint was not asked or could not be asked. `detail` says how its state is known,
    `cure` is the fix.
    """

    url: str
    health: bool | None
    tokens: bool | None
    detail: str = ""
    cure: str = ""
