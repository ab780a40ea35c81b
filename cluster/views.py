"""The facts and results of each host, or the error instead. These values stand above the errors."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.errors import HostError
from cluster.values import Facts, Presence, Reach, UnitState, VenvCheck


@dataclass(frozen=True)
class HostView:
    """One host as last seen: its facts, or the error that prevented them.

    `clock` is the least and the most that its clock can be ahead of the clock here, in seconds. It is None where
    it is
    unknown.
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


#: The last view of each host, by name, in the inventory's order.
Observed = dict[str, HostView]


@dataclass(frozen=True)
class Executed:
    """The outcome of an operator's command on a host. `status` is None where `problem` prevented its end."""

    host: str
    status: int | None
    stdout: str = ""
    stderr: str = ""
    problem: HostError | None = None


@dataclass(frozen=True)
class TrialResults:
    """The result of each trial on one host: None where it did not run, the error where it failed.

    `hashes` are the SHA-256 of the model's files by name, or the reason why a file has none.
    """

    name: str
    reaches: tuple[Reach, ...] | HostError | None = None
    venv: VenvCheck | HostError | None = None
    hashes: dict[str, str] | HostError | None = None
