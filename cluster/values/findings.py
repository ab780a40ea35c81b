"""What is said of hosts, clusters and endpoints: findings, leases, leftovers, the announcement. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cluster.values.facts import Presence

Severity = Literal["blocking", "warning", "unchecked"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be, or could not be looked at (`unchecked`).

    `name` is that of the check; `host` is empty where the finding is about several hosts together; `source` is
    where the fact behind it comes from (a thread, a manual, a measurement).
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
    """A finding that does not count, and why: it was skipped here, or the inventory accepts it."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class CheckReport:
    """What the checks have shown, in the order of the checks.

    `passed`, `skipped` and `untried` are names of checks; what nobody has tried has not passed.
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
    """Who holds a cluster: the person, their machine, since when (ISO 8601) and what for."""

    owner: str
    machine: str
    since: str
    reason: str


@dataclass(frozen=True)
class Leftover:
    """Something of ours that is left, with what to do about it by hand; not `provable` where nobody could look."""

    host: str
    what: str
    cure: str = ""
    provable: bool = True


@dataclass(frozen=True)
class NcclTransport:
    """What carries the ranks' data between the hosts, in NCCL's terms; gloo where the ranks are CPUs.

    `evidence` is what the ranks themselves said.
    """

    kind: Literal["NET/IB/GDRDMA", "NET/IB", "NET/Socket", "gloo", "unknown"]
    evidence: str = ""


@dataclass(frozen=True)
class Announcement:
    """What an operator gets: an endpoint that has given a token in this very run."""

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
    """One host. None where it could not be asked; `problem` is what is wrong with it and `cure` what to do, or
    empty; `uptime` in seconds."""

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
    """The endpoint. None where it was not or could not be asked; `detail` says how we know, `cure` what to do."""

    url: str
    health: bool | None
    tokens: bool | None
    detail: str = ""
    cure: str = ""
