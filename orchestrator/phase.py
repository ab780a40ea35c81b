"""A phase of a run, and the stage it acts on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cluster import wait
from cluster.fleet import Fleet
from cluster.host import Host
from cluster.inventory import Inventory
from cluster.observe import Observed
from cluster.values import Facts
from orchestrator.events import Sink, Waiting
from orchestrator.settings import Patience

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """All that a phase may see and do. Immutable: what was seen is what was seen before the phase ran.

    `at_end` registers what must be given back when the whole run is over, however it ends.
    """

    inventory: Inventory
    fleet: Fleet
    seen: Observed
    sink: Sink
    patience: Patience
    reason: str
    at_end: Callable[[Callable[[], None]], None]

    @property
    def head(self) -> Host:
        return self.fleet[self.inventory.head.name]

    @property
    def venv(self) -> str:
        return self.inventory.runtime.venv

    def facts(self, host: str) -> Facts:
        """Of a host that preflight has let through."""
        facts = self.seen[host].facts
        assert facts is not None, f"{host} was never looked at"
        return facts

    def until(
        self,
        what: str,
        look: Callable[[], T],
        done: Callable[[T], bool],
        patience: float,
        mark: Callable[[T], object] = lambda seen: None,
    ) -> T:
        """`wait.until`, shown to whoever watches the run."""

        def notice(seconds: float, last: str) -> None:
            self.sink(Waiting(what, seconds, last))

        return wait.until(what, look, done, patience=patience, notice=notice, mark=mark)


class Phase(ABC):
    """One step of a run. Phases know nothing of each other: what they share is what is on the hosts."""

    title: str
    #: Whether it changes anything on the hosts, so that they must be looked at again after it.
    acts: bool = True

    def skip(self, inventory: Inventory, seen: Observed) -> str | None:
        """A reason not to run, from what was seen alone; no host is asked here."""
        return None

    @abstractmethod
    def run(self, stage: Stage) -> None:
        """Act on the hosts; wait with stage.until; raise a ClusterError that a person can act on."""

    def undo(self, stage: Stage) -> None:  # noqa: B027  (most phases leave nothing behind)
        """Take back what run did, if run was entered in this very call; `stage` is as it was before run."""
