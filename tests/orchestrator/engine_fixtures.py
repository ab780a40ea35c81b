"""An engine before scripted hosts, and phases that record what is done with them."""

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
from tests.orchestrator.scripted_stage import facts_answer, scripted_fleet

CLEAN = "orchestrator down demo.yaml"


@dataclass
class RecordingPhase(Phase):
    """Run and undo raise `run_error` and `undo_error` and hand `guards` over; `reason` is why it is skipped."""

    title: str
    notes: list[str] = field(default_factory=list)
    acts: bool = True
    starts: bool = True
    reason: str | None = None
    run_error: BaseException | None = None
    undo_error: BaseException | None = None
    during: Callable[[Stage], object] = lambda stage: None
    guards: tuple[Callable[[], None], ...] = ()

    def skip(self, situation: Situation) -> str | None:
        self.notes.append(f"skip? {self.title}: python {_python(situation.seen)}")
        return self.reason

    def run(self, stage: Stage) -> Handover:
        self.notes.append(f"run {self.title}: python {_python(stage.seen)}")
        self.during(stage)
        if self.run_error:
            raise self.run_error
        return Handover(guards=self.guards)

    def undo(self, stage: Stage) -> None:
        self.notes.append(f"undo {self.title}: python {_python(stage.seen)}")
        if self.undo_error:
            raise self.undo_error


def _python(seen: Observed) -> str:
    """The version of Python, another one each time the hosts are observed."""
    return seen["gpu-a"].facts.python if seen["gpu-a"].facts else "?"


@dataclass(frozen=True)
class ScriptedEngine:
    engine: Engine
    events: list[Event]


def scripted_engine(interrupts: Interrupts | None = None, keep: bool = False) -> ScriptedEngine:
    inventory = builders.inventory(hosts=1)
    looks = [facts_answer(builders.facts(inventory.head, python=str(number))) for number in range(1, 20)]
    fleet, _, _ = scripted_fleet(inventory, {"facts": looks}, {})
    events: list[Event] = []
    interrupts = interrupts or Interrupts()
    engine = Engine(inventory, fleet, events.append, Patience(), "up demo", CLEAN, keep, interrupts)
    return ScriptedEngine(engine, events)


def recording_phases(*titles: str, notes: list[str]) -> Sequence[RecordingPhase]:
    return [RecordingPhase(title, notes) for title in titles]
