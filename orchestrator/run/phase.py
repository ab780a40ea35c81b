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
    """The cluster as it was seen before a phase. `removed` is what could not be proved gone on removed hosts."""

    inventory: Inventory
    seen: Observed
    removed: tuple[Leftover, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Handover:
    """What a phase hands to those after it: `guards` are asked before each of them and each look while one waits,
    `removed` is what the phase could not prove gone on removed hosts."""

    guards: tuple[Callable[[], None], ...] = ()
    removed: tuple[Leftover, ...] = ()


@dataclass(frozen=True)
class Stage(Situation):
    """All that a phase may see and do. Frozen: a phase changes hosts, and what is seen of them is a new stage.

    `at_end` registers what must be given back when the whole run is over, however it ends. `skip` are names
    of checks whose findings do not count. `launcher` is who works here, and `run_id` stands for this
    run. `since` is when the hosts were seen, on the monotonic clock. `folders` are those that hosts have told an
    earlier stage of.
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
        """Raises when the run may not go on, because its lease is somebody else's by now."""
        for check in self.guards:
            check()

    def public(self, text: str) -> str:
        """Text of a log without secrets."""
        return redact(text, secret_values(self.inventory))

    @property
    def head(self) -> Host:
        return self.fleet[self.inventory.head.name]

    @property
    def venv(self) -> str:
        return self.inventory.runtime.venv

    def engine(self) -> UnitLog:
        """Follows the engine's unit and its log, from the beginning. Raises what keeps us from the head."""
        return UnitLog(self.head, "vllm", self.state_folder(self.head.name), self.venv)

    def locate(self) -> Located:
        """Where the engine answers, as it can be reached now. Raises what keeps us from the head."""
        return locate(self.inventory, self.head, self.state_folder(self.head.name))

    def endpoint(self) -> Endpoint:
        """Where requests go: from here where the engine proves that it is asked, otherwise from the head."""
        return self.locate().endpoint

    def nccl_lines(self) -> tuple[str, ...]:
        """What the ranks of all hosts say of the network. Raises what keeps us from any of them."""
        answers = self.fleet.all(lambda host: host.ask(nccl.lines(self.state_folder(host.name), self.venv)))
        return tuple(line for lines in answers.values() for line in lines)

    def facts(self, host: str) -> Facts:
        """Raises what kept us from looking at this host: one can be lost after preflight."""
        view = self.seen[host]
        if view.facts is None:
            raise view.problem or Unreachable(host, "look at the host")
        return view.facts

    def need_all(self) -> None:
        """Raises what kept us from looking at a host: it may well run what is wanted."""
        for host in self.seen:
            self.facts(host)

    def state_folder(self, host: str) -> str:
        """The cluster's folder on this host, also on one that could not be looked at and is back by now. Raises
        what keeps it from an answer."""
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
        """`wait.until`, shown to whoever watches the run. Raises TimedOut when patience ends."""

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
    """What a phase waits for, and how long at most, in seconds; with `progress` only while nothing moves."""

    what: str
    patience: Callable[[Patience], float]
    progress: bool = False


class Phase(ABC):
    """One step of a run. Phases know nothing of each other: they share what is on the hosts, and a handover."""

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
        """A reason not to run, from what was seen alone; no host is asked here."""
        return None

    @abstractmethod
    def run(self, stage: Stage) -> Handover | None:
        """Act on the hosts; wait with stage.until; raise a ClusterError that a person can act on."""

    def undo(self, stage: Stage) -> None:  # noqa: B027  (most phases leave nothing behind)
        """Take back what run did, if run was entered in this very call; `stage` is as it was before run."""
