"""What happened, as frozen values, and where they go. Phases emit these and never know who listens.

Watchers and journals know an event by `name` and by its fields: a class may be renamed, these may not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from cluster.errors import ClusterError, HostError
from cluster.values import Announcement, Excused, Finding, NcclTransport


@dataclass(frozen=True)
class RunStarted:
    """A command began on a cluster; `hosts` in the inventory's order."""

    name: ClassVar[str] = "run_started"
    verb: str
    cluster: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class PhaseStarted:
    """A phase began."""

    name: ClassVar[str] = "phase_started"
    title: str


@dataclass(frozen=True)
class PhaseSkipped:
    """What the phase would do is already so; `reason` says how we know."""

    name: ClassVar[str] = "phase_skipped"
    title: str
    reason: str


@dataclass(frozen=True)
class PhaseDone:
    """A phase ended well, after `seconds`."""

    name: ClassVar[str] = "phase_done"
    title: str
    seconds: float


@dataclass(frozen=True)
class PhaseFailed:
    """A phase failed after `seconds`."""

    name: ClassVar[str] = "phase_failed"
    title: str
    seconds: float
    error: ClusterError


@dataclass(frozen=True)
class RolledBack:
    """A phase of this run was rolled back; `problem` where that failed."""

    name: ClassVar[str] = "undone"
    title: str
    error: ClusterError | None = None


@dataclass(frozen=True)
class FindingReported:
    """A finding that does not stop the run: a warning, or something that could not be checked."""

    name: ClassVar[str] = "found"
    finding: Finding


@dataclass(frozen=True)
class FindingExcused:
    """A finding that does not count in this run, and why."""

    name: ClassVar[str] = "found_excused"
    excused: Excused


@dataclass(frozen=True)
class HostMessage:
    """Something worth the operator's attention; `host` is empty where it is about all. `cause` and `cure` are
    empty where there is none. `line` is all of it in one."""

    name: ClassVar[str] = "host_said"
    host: str
    message: str
    severity: Literal["info", "warning"] = "info"
    cause: str = ""
    cure: str = ""

    @property
    def line(self) -> str:
        words = ": ".join(filter(None, ("warning" * (self.severity == "warning"), self.message, self.cause)))
        return f"{words} ({self.cure})" if self.cure else words


@dataclass(frozen=True)
class Progress:
    """How far something measurable is: `done` of `total` in `unit` (%, GPUs, GiB)."""

    name: ClassVar[str] = "progress"
    what: str
    done: float
    total: float
    unit: str


@dataclass(frozen=True)
class Waiting:
    """Still waiting for `what`, since `seconds`; `last` is the last that was seen, and `problems` what kept hosts
    from an answer.

    Nothing has moved for `quiet` seconds; after `patience` of them the wait ends (None: it has an end of its own).
    """

    name: ClassVar[str] = "waiting"
    what: str
    seconds: float
    last: str
    quiet: float = 0.0
    patience: float | None = None
    problems: tuple[HostError, ...] = ()


@dataclass(frozen=True)
class HostActivity:
    """What a host is at now; it replaces what it was at before."""

    name: ClassVar[str] = "host_does"
    host: str
    what: str


@dataclass(frozen=True)
class LastLogLine:
    """The last line of a unit's log on a host."""

    name: ClassVar[str] = "log_said"
    host: str
    line: str


@dataclass(frozen=True)
class TransportDetected:
    """What NCCL carries the ranks' data over; comes again, once more is known."""

    name: ClassVar[str] = "transport_learned"
    transport: NcclTransport


@dataclass(frozen=True)
class EngineReady:
    """The engine's health is good; `kv_cache_tokens` as its log says, None where it does not."""

    name: ClassVar[str] = "engine_ready"
    kv_cache_tokens: int | None


@dataclass(frozen=True)
class EndpointVerified:
    """The endpoint gave a token: where it was asked (`url`, from `origin`), and the token's text."""

    name: ClassVar[str] = "proved"
    url: str
    origin: str
    token: str


@dataclass(frozen=True)
class Announced:
    """The endpoint gave a token in this run, and is announced."""

    name: ClassVar[str] = "announced"
    announcement: Announcement


Event = (
    RunStarted
    | PhaseStarted
    | PhaseSkipped
    | PhaseDone
    | PhaseFailed
    | RolledBack
    | FindingReported
    | FindingExcused
    | HostMessage
    | Progress
    | Waiting
    | HostActivity
    | LastLogLine
    | TransportDetected
    | EngineReady
    | EndpointVerified
    | Announced
)

Sink = Callable[[Event], None]
