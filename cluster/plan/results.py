"""The result of a plan: the size of the model, whether it fits, and the commands. Renderers read these values."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.model import Fit, Lever
from cluster.values import Finding


@dataclass(frozen=True)
class PlannedModel:
    """The model of a plan. `source` is the origin of its shape, or empty where the shape is unknown. `problem` is
    the reason and the fix.

    `parameters` are by part. `checkpoint` is the size of its files on each host. `free` is the least free space of
    all hosts for it, or None where it is unknown.
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
    """A unit to launch. Unlike a `Unit` it has only the names of secrets: plans are shown and stored."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class PlannedHost:
    """One host of a plan.

    `problem` is the reason why a host that was asked is shown like one that was not asked. `cure` is the fix.
    """

    name: str
    role: str
    units: tuple[PlannedUnit, ...]
    problem: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Plan:
    """The plan. `measured`: the hosts reported the memory of their GPUs; otherwise it is the inventory's value.

    `findings` are about arguments and layout. `unknown` lists what could not be computed, with the reason. A plan
    that is not `exact` has arguments that change figures in unknown ways.
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
        """Returns the hosts that were asked and did not answer."""
        return tuple(host for host in self.hosts if host.problem)

    @property
    def runs(self) -> bool:
        """Returns False where it is known that the cluster cannot run."""
        blocked = any(finding.blocking for finding in self.findings)
        return not blocked and (self.fit is None or self.fit.fits is not False)
