"""A stage on which a phase acts before scripted hosts, and everything that it said and ran."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cluster.command import Command, Result
from cluster.inventory import Inventory
from cluster.launch.unit import UnitStatus
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import Facts, Presence
from cluster.views import Observed
from orchestrator.events import Event
from orchestrator.local.settings import Patience
from orchestrator.run.phase import Stage
from tests.cluster import builders
from tests.doubles import Script, ScriptedChannel, ScriptedTransport

E = TypeVar("E")
Scripts = Mapping[str, Script]
Answers = Scripts | Callable[[str], Scripts]

#: As hosts say it on which all that preflight tries goes well.
TRIALS = {"port_listener": '{"listening": [6379]}', "venv_check": '{"cuda": "", "model": ""}'}


class Recorded(ScriptedTransport):
    """Writes what is run into a record that all hosts share."""

    def __init__(
        self, host: str, record: list[tuple[str, str]], answers: Scripts, channels: Mapping[str, ScriptedChannel]
    ) -> None:
        super().__init__(answers, channels)
        self._host = host
        self._record = record

    def execute(self, command: Command, on_line: Callable[[str], None] | None = None) -> Result:
        self._record.append((self._host, command.kind))
        return super().execute(command, on_line)

    def open(self, command: Command) -> ScriptedChannel:
        self._record.append((self._host, command.kind))
        return super().open(command)


@dataclass(frozen=True)
class ScriptedRun:
    """`ran` is (host, kind) in the order in which it was run; `at_end` what is to be released."""

    stage: Stage
    events: list[Event]
    ran: list[tuple[str, str]]
    transports: dict[str, Recorded]
    at_end: list[Callable[[], None]]

    def said(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def payloads(self, host: str, kind: str) -> list[dict[str, Any]]:
        return [payload(one) for one in self.transports[host].executed if one.kind == kind]


def played(
    answers: Answers | None = None,
    inventory: Inventory | None = None,
    seen: Observed | None = None,
    channels: Mapping[str, ScriptedChannel] | None = None,
    **patience: float,
) -> ScriptedRun:
    """`answers` are those of every host, or what a host's name is given; `channels` are the head's. Hosts let each
    other through."""
    inventory = inventory or builders.inventory()
    fleet, ran, transports = hosts(inventory, answers or {}, channels or {})
    events: list[Event] = []
    at_end: list[Callable[[], None]] = []
    seen = builders.seen(inventory) if seen is None else seen
    stage = Stage(inventory, seen, fleet, events.append, Patience(**patience), "up demo", at_end.append)
    return ScriptedRun(stage, events, ran, transports, at_end)


def hosts(
    inventory: Inventory, answers: Answers, channels: Mapping[str, ScriptedChannel]
) -> tuple[Fleet, list[tuple[str, str]], dict[str, Recorded]]:
    ran: list[tuple[str, str]] = []
    transports = {
        spec.name: Recorded(
            spec.name,
            ran,
            {
                "port_probe": connected,
                "collect": "",
                "unit_status ray": look(),
                **(answers(spec.name) if callable(answers) else answers),
            },
            trying() | (dict(channels) if spec.role == "head" else {}),
        )
        for spec in inventory.hosts
    }
    return Fleet([Host(name, transport) for name, transport in transports.items()]), ran, transports


def trying() -> dict[str, ScriptedChannel]:
    return {kind: ScriptedChannel([said]) for kind, said in TRIALS.items()}


def connected(command: Command, problem: str = "") -> Result:
    """As one says it whom all peers let through, or whose tries all end with `problem`."""
    keys = ("peer", "address", "port")
    reaches = [{**{key: one[key] for key in keys}, "problem": problem} for one in payload(command)["targets"]]
    return Result(0, json.dumps({"reaches": reaches}), "")


def payload(command: Command) -> dict[str, Any]:
    """The data of a program for a host."""
    found: dict[str, Any] = json.loads(command.stdin.splitlines()[-1])
    return found


def told(facts: Facts) -> str:
    """As the probe on the host says it."""
    return facts.model_dump_json()


def look(text: str = "", presence: Presence = Presence.ALIVE, **overrides: Any) -> str:
    """As the look at a unit says it."""
    state: dict[str, Any] = {"presence": presence, "status": None, "lost": []}
    fields = {**state, "offset": len(text), "text": text, "read": 0, "health": 0}
    assert set(overrides) <= set(fields) <= set(UnitStatus.__dataclass_fields__)
    return json.dumps({**fields, **overrides})


def left(*commands: str) -> str:
    """As a stopped unit says it: what is still there, from pid 70 on."""
    return json.dumps({"left": [{"pid": pid, "command": command} for pid, command in enumerate(commands, 70)]})
