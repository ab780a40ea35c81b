"""An engine before scripted hosts, and phases that note what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cluster.views import Observed
from orchestrator.events import Event
from orchestrator.local.settings import Patience
from orchestrator.run.engine import Engine
from orchestrator.run.interrupts import Interrupts
from orchestrator.run.phase import Handover, Phase, Situation, Stage
from tests.cluster import builders
from tests.orchestrator.scripted_stage import hosts, told

CLEAN = "orchestrator down demo.yaml"


@dataclass
class Noted(Phase):
    """`fails` and `stays` are what run and undo raise; `reason` is why it is skipped, `guards` are handed over."""

    title: str
    notes: list[str] = field(default_factory=list)
    acts: bool = True
    starts: bool = True
    reason: str | None = None
    fails: BaseException | None = None
    stays: BaseException | None = None
    during: Callable[[Stage], object] = lambda stage: None
    guards: tuple[Callable[[], None], ...] = ()

    def skip(self, situation: Situation) -> str | None:
        self.notes.append(f"skip? {self.title}: python {_python(situation.seen)}")
        return self.reason

    def run(self, stage: Stage) -> Handover:
        self.notes.append(f"run {self.title}: python {_python(stage.seen)}")
        self.during(stage)
        if self.fails:
            raise self.fails
        return Handover(guards=self.guards)

    def undo(self, stage: Stage) -> None:
        self.notes.append(f"undo {self.title}: python {_python(stage.seen)}")
        if self.stays:
            raise self.stays


def _python(seen: Observed) -> str:
    """Each look at the hosts finds another version: it tells which look it was."""
    return seen["gpu-a"].facts.python if seen["gpu-a"].facts else "?"


@dataclass(frozen=True)
class Driven:
    engine: Engine
    events: list[Event]


def driven(interrupts: Interrupts | None = None, keep: bool = False) -> Driven:
    inventory = builders.inventory(hosts=1)
    looks = [told(builders.facts(inventory.head, python=str(number))) for number in range(1, 20)]
    fleet, _, _ = hosts(inventory, {"facts": looks}, {})
    events: list[Event] = []
    interrupts = interrupts or Interrupts()
    engine = Engine(inventory, fleet, events.append, Patience(), "up demo", CLEAN, keep, interrupts)
    return Driven(engine, events)


def phases(*titles: str, notes: list[str]) -> Sequence[Noted]:
    return [Noted(title, notes) for title in titles]
