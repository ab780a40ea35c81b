"""A phase of a run, and the stage it acts on."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from typing import TypeVar

from cluster.diagnosis.redact import redact, secret_values
from cluster.engine import nccl
from cluster.engine.endpoint import Endpoint, Located, locate
from cluster.engine.unit_log import UnitLog
from cluster.errors import FleetError, HostError, Unreachable
from cluster.inventory import Inventory
from cluster.transport import wait
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import Facts, Launcher, Leftover
from cluster.views import Observed
from orchestrator.events import Sink, Waiting
from orchestrator.local.settings import Patience
from orchestrator.run.state_folders import StateFolders

T = TypeVar("T")


@dataclass(frozen=True)
class Situation:
    """The cluster as it was inspected before a phase. `removed` is what may still be in use on removed hosts."""

    inventory: Inventory
    seen: Observed
    removed: tuple[Leftover, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Handover:
    """What a phase hands to later phases: `guards` are asked before each of them, and at each look of a wait.
    `removed` is what may still be in use on removed hosts."""

    guards: tuple[Callable[[], None], ...] = ()
    removed: tuple[Leftover, ...] = ()


@dataclass(frozen=True)
class Stage(Situation):
    """Everything that a phase may see and use. It is frozen: a phase changes hosts, and new facts make a new
    stage.

    `at_end` registers what the end of the whole run must release. `skip` are names of checks whose findings do
    not count. `launcher` is this operator, and `run_id` identifies this run. `since` is the time of the facts, on
    the monotonic clock. `folders` are those that hosts reported to an earlier stage.
    """

    fleet: Fleet
    sink: Sink
    patience: Patience
    reason: str
    at_end: Callable[[Callable[[], None]], None]
    guards: tuple[Callable[[], None], ...] = ()
    skip: tuple[str, ...] = ()
    launcher: Launcher | None = None
    run_id: str = ""
    since: float = field(default_factory=time.monotonic)
    folders: StateFolders | None = None

    def after(self, handover: Handover) -> Stage:
        """The same stage, with what a phase has handed over."""
        guards, removed = self.guards + handover.guards, self.removed + handover.removed
        return replace(self, guards=guards, removed=removed, folders=self._state_folders)

    def guard(self) -> None:
        """Raises when the run must stop, because another operator holds its lease by now."""
        for check in self.guards:
            check()

    def public(self, text: str) -> str:
        """The text of a log without secrets."""
        return redact(text, secret_values(self.inventory))

    @property
    def head(self) -> Host:
        return self.fleet[self.inventory.head.name]

    @property
    def venv(self) -> str:
        return self.inventory.runtime.venv

    def engine(self) -> UnitLog:
        """Follows the engine's unit and its log from the beginning. Raises what makes the head unreachable."""
        return UnitLog(self.head, "vllm", self.state_folder(self.head.name), self.venv)

    def locate(self) -> Located:
        """Where the engine answers, as it can be reached now. Raises what makes the head unreachable."""
        return locate(self.inventory, self.head, self.state_folder(self.head.name))

    def endpoint(self) -> Endpoint:
        """Where requests go: from here where the engine is proved to answer, otherwise from the head."""
        return self.locate().endpoint

    def nccl_lines(self) -> tuple[str, ...]:
        """The network lines of all ranks on all hosts. Raises what makes any host unreachable."""
        answers = self.fleet.all(lambda host: host.ask(nccl.lines(self.state_folder(host.name), self.venv)))
        return tuple(line for lines in answers.values() for line in lines)

    def facts(self, host: str) -> Facts:
        """Raises what makes this host unreachable: it can be lost after preflight."""
        view = self.seen[host]
        if view.facts is None:
            raise view.problem or Unreachable(host, "read the facts of the host")
        return view.facts

    def need_all(self) -> None:
        """Raises what made a host unreachable: the wanted unit may run there."""
        for host in self.seen:
            self.facts(host)

    def state_folder(self, host: str) -> str:
        """The cluster's folder on this host, which may be reachable again by now. Raises what makes it
        unreachable."""
        return self._state_folders[host]

    @cached_property
    def _state_folders(self) -> StateFolders:
        return self.folders or StateFolders(self.inventory, self.fleet, self.seen)

    def until(
        self,
        what: str,
        look: Callable[[], T],
        done: Callable[[T], bool],
        patience: float,
        mark: Callable[[T], object] = lambda seen: None,
    ) -> T:
        """`wait.until`, shown to the operator. Raises TimedOut at the timeout."""

        problems: tuple[HostError, ...] = ()

        def notice(seconds: float, last: str, quiet: float) -> None:
            self.sink(Waiting(what, seconds, last, quiet, patience if isfinite(patience) else None, problems))

        def guarded() -> T:
            nonlocal problems
            problems = ()
            try:
                self.guard()
                return look()
            except HostError as error:
                problems = (error,)
                raise
            except FleetError as error:
                problems = error.errors
                raise

        return wait.until(what, guarded, done, patience=patience, notice=notice, mark=mark)


@dataclass(frozen=True)
class Waits:
    """What a phase waits for, and its timeout in seconds; if `progress` is set, the timeout counts time without
    progress."""

    what: str
    patience: Callable[[Patience], float]
    progress: bool = False


class Phase(ABC):
    """One step of a run. Phases know nothing of each other: they share the state on the hosts, and a handover."""

    title: str
    #: None for one that acts, or looks, and goes on.
    waits: Waits | None = None
    #: Whether it changes anything on the hosts, so that they must be looked at again after it.
    acts: bool = True
    #: Whether it starts what `undo` takes back. Ctrl-C is heard when it is over, and so it must be short.
    starts: bool = False
    #: Says where a phase has something to do that acts on what it finds: for a plan, when nobody has looked.
    only: str = ""

    def skip(self, situation: Situation) -> str | None:
        """A reason to skip the phase, from the facts alone; this asks no host."""
        return None

    @abstractmethod
    def run(self, stage: Stage) -> Handover | None:
        """Act on the hosts; wait with stage.until; raise a ClusterError that an operator can act on."""

    def undo(self, stage: Stage) -> None:  # noqa: B027  (most phases leave nothing behind)
        """Roll back what run did, if run was entered in this very call; `stage` is as it was before run."""
