"""What travels between the layers: facts of hosts, sightings of units, findings, leases. Frozen, all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cluster.errors import HostError


class _Fact(BaseModel):
    """Part of what the probe on a host brings; an unknown or missing key is an unintelligible answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GpuProcess(_Fact):
    """A process on a GPU, as nvidia-smi lists it; `ours` when it is in the tree of one of our units."""

    pid: int
    name: str
    used_mib: int
    ours: bool


class Gpu(_Fact):
    """One GPU as nvidia-smi reports it; memory in MiB."""

    index: int
    uuid: str
    name: str
    memory_mib: int
    used_mib: int
    processes: tuple[GpuProcess, ...] = ()


class Listener(_Fact):
    """Who listens on a port of interest; `pid` 0 when the kernel does not say (another user's process)."""

    port: int
    pid: int
    command: str
    ours: bool


class Presence(StrEnum):
    """What a look at a host shows of a unit."""

    ABSENT = "absent"
    ALIVE = "alive"
    DEAD = "dead"


class Sighting(_Fact):
    """What was seen of one unit. DEAD: a record whose keeper or leader is gone, `pids` may still be alive.

    `fingerprint` covers everything that decides whether the unit is still the wanted one, the secrets of its
    environment too; `argv` is kept for people. `age` is in seconds.
    """

    presence: Presence
    argv: tuple[str, ...] = ()
    fingerprint: str = ""
    pids: tuple[int, ...] = ()
    age: float = 0.0
    status: int | None = None


class ModelFiles(_Fact):
    """The model on a host: the folder found, and size in bytes by file name; `problem` when it is not usable."""

    path: str
    sizes: dict[str, int]
    problem: str = ""


class Facts(_Fact):
    """All that one round trip brings from a host. Limits are hard limits, -1 is unlimited; sizes in MiB."""

    boot_id: str
    uid: int
    user: str
    hostname: str
    python: str
    python_is_venvs: bool
    versions: dict[str, str]
    driver: str
    gpus: tuple[Gpu, ...]
    gpu_problem: str
    addresses: dict[str, tuple[str, ...]]
    listeners: tuple[Listener, ...]
    nofile: int
    memlock: int
    kill_user_processes: bool
    linger: bool
    state: str
    state_problem: str
    free_mib: int
    model: ModelFiles
    ray: Sighting
    vllm: Sighting

    def interface(self, address: str) -> str:
        """The interface that holds `address`; empty when none does."""
        return next((name for name, held in self.addresses.items() if address in held), "")


@dataclass(frozen=True)
class HostView:
    """One host as last seen: its facts, or why there are none."""

    name: str
    facts: Facts | None = None
    problem: HostError | None = None

    @property
    def ray(self) -> Sighting:
        return self.facts.ray if self.facts else Sighting(presence=Presence.ABSENT)

    @property
    def vllm(self) -> Sighting:
        return self.facts.vllm if self.facts else Sighting(presence=Presence.ABSENT)


Severity = Literal["blocking", "warning", "unchecked"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be, or could not be looked at (`unchecked`).

    `host` is empty where the finding is about several hosts together.
    """

    name: str
    host: str
    severity: Severity
    found: str
    wanted: str = ""
    why: str = ""
    cure: str = ""

    @property
    def blocking(self) -> bool:
        return self.severity == "blocking"


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
class Transport:
    """What NCCL said it carries data over: `kind` is GDRDMA, IB, Socket or unknown; `evidence` its own words."""

    kind: Literal["NET/IB/GDRDMA", "NET/IB", "NET/Socket", "unknown"]
    evidence: str = ""


@dataclass(frozen=True)
class Announcement:
    """What an operator gets: an endpoint that has given a token in this very run."""

    url: str
    model: str
    served_name: str
    tensor_parallel: int
    pipeline_parallel: int
    hosts: tuple[str, ...]
    gpus: int
    transport: Transport | None
    kv_cache_tokens: int | None
    proved_from: str
    token: str
    needs_key: bool
    seconds: tuple[tuple[str, float], ...] = field(default=())


@dataclass(frozen=True)
class HostStatus:
    """One host. None where it could not be asked, and `problem` says why; `uptime` in seconds."""

    host: str
    ray: Presence | None
    vllm: Presence | None
    gpus_used: int | None
    gpus: int | None
    uptime: float | None
    problem: str = ""


@dataclass(frozen=True)
class EndpointStatus:
    """The endpoint. None where it was not or could not be asked; `detail` says how we know."""

    url: str
    health: bool | None
    tokens: bool | None
    detail: str = ""
