"""What a plan says: how large, whether it fits, what would be run. Frozen; sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.values.findings import Finding


@dataclass(frozen=True)
class Share:
    """`size` of one GPU, for `what`; `assumed` where no code says so."""

    what: str
    size: int
    assumed: bool = False


@dataclass(frozen=True)
class PlannedModel:
    """`source` is where its shape is known from, empty where it is not; `problem` says why not and what to do.

    `parameters` by part; `checkpoint` is what its files take on the disk of each host, `free` the least that any
    host has there, None where nobody looked.
    """

    id: str
    architecture: str
    source: str
    dtype: str
    parameters: tuple[tuple[str, int], ...]
    checkpoint: int | None
    free: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class PlannedStage:
    """One GPU of a pipeline stage, with layers from `first` to `last`.

    `weights` is what vLLM's `Model loading took` will say, `parts` are its parts; `beside` is what else is needed,
    `left` is the room for the KV cache, None where the memory of the GPU is not known.
    """

    first: int
    last: int
    weights: int
    offloaded: int
    parts: tuple[Share, ...]
    beside: tuple[Share, ...]
    kv_per_token: int
    left: int | None


@dataclass(frozen=True)
class PlannedFit:
    """`memory` of each GPU as nvidia-smi counts it, `measured` on the hosts or declared; `budget` is what vLLM may
    take of it. `kv_tokens` are those of the whole KV cache, `requests` of `max_model_len` tokens fit at once."""

    stages: tuple[PlannedStage, ...]
    memory: int | None
    measured: bool
    utilization: float
    budget: int | None
    max_model_len: int
    kv_tokens: int | None
    requests: float | None
    fits: bool | None
    lacking: int | None

    @property
    def largest(self) -> PlannedStage:
        """The stage with the most weights."""
        return max(self.stages, key=lambda stage: stage.weights)


@dataclass(frozen=True)
class PlannedLever:
    """One change that was computed, and what comes of it; `lacking` 0 where it then fits."""

    what: str
    change: str
    weights: int
    kv_tokens: int
    requests: float
    lacking: int


@dataclass(frozen=True)
class PlannedUnit:
    """What would be launched; of `secrets` there are the names alone."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class PlannedHost:
    """`problem` says why a host that was asked is shown as one that was not, `cure` what to do about it."""

    name: str
    role: str
    units: tuple[PlannedUnit, ...]
    problem: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Plan:
    """`findings` are about arguments and layout; `unknown` is what could not be computed, and why. Not `exact`:
    arguments are in none of the figures that would change them."""

    cluster: str
    tensor_parallel_size: int
    pipeline_parallel_size: int
    gpus: int
    asked: bool
    model: PlannedModel
    fit: PlannedFit | None
    findings: tuple[Finding, ...]
    levers: tuple[PlannedLever, ...]
    unknown: tuple[str, ...]
    hosts: tuple[PlannedHost, ...]
    exact: bool = True

    @property
    def silent(self) -> tuple[PlannedHost, ...]:
        """Hosts that were asked and could not be."""
        return tuple(host for host in self.hosts if host.problem)

    @property
    def runs(self) -> bool:
        """False where it is known that it cannot."""
        return not any(one.blocking for one in self.findings) and (self.fit is None or self.fit.fits is not False)


@dataclass(frozen=True)
class PlannedPhase:
    """A phase of `up`: what it waits for and for how long, in seconds, None for one that waits for nothing; with
    `progress`, for as long as something moves. `skipped` is the reason why it would be left out; `only` says where
    it has something to do, of one whose hosts nobody has looked at."""

    title: str
    waits: str
    patience: float | None
    progress: bool
    skipped: str
    only: str = ""
