"""The facts and results of each host, or the error instead: these values stand above the errors."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.errors import HostError
from cluster.values import Facts, Presence, Reach, UnitState, VenvCheck


@dataclass(frozen=True)
class HostView:
    """One host as last seen: its facts, or why there are none.

    `clock`: the least and the most that its clock can be ahead of ours, in seconds, None where nobody looked.
    """

    name: str
    facts: Facts | None = None
    problem: HostError | None = None
    clock: tuple[float, float] | None = None

    @property
    def ray(self) -> UnitState:
        return self.facts.ray if self.facts else UnitState(presence=Presence.ABSENT)

    @property
    def vllm(self) -> UnitState:
        return self.facts.vllm if self.facts else UnitState(presence=Presence.ABSENT)


#: What was seen of each host, by name, in the inventory's order.
Observed = dict[str, HostView]


@dataclass(frozen=True)
class Executed:
    """The outcome of an operator's command on a host; `status` is None where `problem` kept it from ending."""

    host: str
    status: int | None
    stdout: str = ""
    stderr: str = ""
    problem: HostError | None = None


@dataclass(frozen=True)
class TrialResults:
    """The result of each trial on one host: None where it was not made, the error where it could not be.

    `hashes` are SHA-256 of the model's files by name, or why a file has none.
    """

    name: str
    reaches: tuple[Reach, ...] | HostError | None = None
    venv: VenvCheck | HostError | None = None
    hashes: dict[str, str] | HostError | None = None
