"""What a plan says: how large a model is, whether it fits, and what would be run. Renderers read these values."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.model import Fit, Lever
from cluster.values import Finding


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
class PlannedUnit:
    """What would be launched. Unlike a `Unit` it has the names of secrets alone: plans are shown and kept."""

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
    """`measured`: the hosts told the memory of their GPUs; otherwise it is what the inventory declares.

    `findings` are about arguments and layout; `unknown` is what could not be computed, and why. Not `exact`: some
    arguments are in none of the figures that they would change.
    """

    cluster: str
    tensor_parallel_size: int
    pipeline_parallel_size: int
    gpus: int
    asked: bool
    model: PlannedModel
    fit: Fit | None
    measured: bool
    findings: tuple[Finding, ...]
    levers: tuple[Lever, ...]
    unknown: tuple[str, ...]
    hosts: tuple[PlannedHost, ...]
    exact: bool = True

    @property
    def silent(self) -> tuple[PlannedHost, ...]:
        """The hosts that were asked and could not be."""
        return tuple(host for host in self.hosts if host.problem)

    @property
    def runs(self) -> bool:
        """False where it is known that it cannot."""
        blocked = any(finding.blocking for finding in self.findings)
        return not blocked and (self.fit is None or self.fit.fits is not False)
