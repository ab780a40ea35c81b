"""Asks before a serving engine of another operator is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cluster.engine.endpoint import local_url
from cluster.errors import InUse
from cluster.launch.unit import Name, Unit
from cluster.state.desired import ray_unit, vllm_unit
from cluster.values import Launcher, Presence, UnitState
from orchestrator.events import HostMessage
from orchestrator.run.phase import Situation, Stage

#: Characters that a difference may have: whatever a host says has an end.
_LONGEST = 600


@dataclass(frozen=True)
class Consent:
    """`launcher` is this operator. `knew` is whether this machine knew the cluster before this run; if so, an
    older record without a name counts as this operator's. `given` shows a question and returns whether the
    answer is yes."""

    launcher: Launcher
    knew: bool
    given: Callable[[str], bool]

    def require(self, stage: Stage, stops: Sequence[tuple[str, Name]]) -> None:
        """Raises InUse where a unit of another operator would stop under a serving engine, without a yes. An
        engine that loads or hangs may be stopped without one."""
        others = [(host, name) for host, name in stops if self._is_others(_state(stage, host, name))]
        if not others or not _serves(stage):
            return
        whose = _whose(stage, others)
        differences = stage.public("; ".join(_differences(stage, others)))[:_LONGEST]
        error = InUse(stage.inventory.cluster, stage.head.name, whose, differences)
        if not self.given(f"{error.message}\n{differences}"):
            raise error
        stage.sink(HostMessage("", f"{whose}; stopping it, as confirmed", "warning", differences))

    def _is_others(self, state: UnitState) -> bool:
        if state.presence is not Presence.ALIVE:
            return False
        by, us = state.launched_by, self.launcher
        if by is None:
            return not self.knew
        if by.state and us.state:
            return by.state != us.state
        return (by.owner, by.machine) != (us.owner, us.machine)


def _serves(stage: Stage) -> bool:
    """Whether the engine on the head is in good health."""
    status = stage.engine().look(local_url(stage.inventory, "/health"))
    return status.alive and status.health == 200


def _state(situation: Situation, host: str, name: Name) -> UnitState:
    view = situation.seen[host]
    return view.ray if name == "ray" else view.vllm


def _whose(stage: Stage, others: Sequence[tuple[str, Name]]) -> str:
    """Returns who launched what, with the units of one operator together."""
    by_person: dict[str, list[str]] = {}
    for host, name in others:
        by = _state(stage, host, name).launched_by
        person = f"{by.owner} on {by.machine}" if by else "an operator whom its record does not name"
        by_person.setdefault(person, []).append(f"{name} on {host}")
    return "; ".join(f"{', '.join(units)}: launched by {person}" for person, units in by_person.items())


def _differences(stage: Stage, others: Sequence[tuple[str, Name]]) -> Iterator[str]:
    for host, name in others:
        if name == "vllm" and host != stage.inventory.head.name:
            yield f"vllm on {host}: the inventory has it on {stage.inventory.head.name}"
            continue
        wanted = (
            vllm_unit(stage.inventory, stage.seen)
            if name == "vllm"
            else ray_unit(stage.inventory, stage.seen[host])
        )
        yield f"{name} on {host}: {_difference(wanted, _state(stage, host, name))}"


def _difference(wanted: Unit, runs: UnitState) -> str:
    if wanted.fingerprint == runs.fingerprint:
        return "it is up to date, and stops with the rest or as requested"
    here, there = _options(wanted.argv), _options(runs.argv)
    ours, theirs = ([each for each in one if each not in other] for one, other in ((here, there), (there, here)))
    if not ours and not theirs:
        return "its environment, its secrets or its versions differ"
    return f"{' '.join(theirs) or 'nothing more'} there, {' '.join(ours) or 'nothing more'} here"


def _options(argv: Sequence[str]) -> list[str]:
    """Returns each option together with its values."""
    options: list[str] = []
    for word in argv:
        if word.startswith("-") or not options:
            options.append(word)
        else:
            options[-1] += f" {word}"
    return options
