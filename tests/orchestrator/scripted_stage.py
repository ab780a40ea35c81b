"""A stage on which a phase acts before scripted hosts, with all its events and commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cluster.command import Command, Result
from cluster.engine.endpoint import Endpoint
from cluster.engine.requests import EndpointRequest
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

#: The answers to preflight's trials where all is well.
TRIAL_ANSWERS = {"port_listener": '{"listening": [6379]}', "venv_check": '{"cuda": "", "model": ""}'}


class RecordingTransport(ScriptedTransport):
    """Records commands in a list that all hosts share."""

    def __init__(
        self, host: str, ran: list[tuple[str, str]], answers: Scripts, channels: Mapping[str, ScriptedChannel]
    ) -> None:
        super().__init__(answers, channels)
        self._host = host
        self._ran = ran

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        self._ran.append((self._host, command.kind))
        return super().execute(command, on_text)

    def open(self, command: Command) -> ScriptedChannel:
        self._ran.append((self._host, command.kind))
        return super().open(command)


@dataclass(frozen=True)
class ScriptedRun:
    """`ran` is (host, kind) of each command, in order; `at_end` holds what is released at the end."""

    stage: Stage
    events: list[Event]
    ran: list[tuple[str, str]]
    transports: dict[str, RecordingTransport]
    at_end: list[Callable[[], None]]

    def events_of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def payloads(self, host: str, kind: str) -> list[dict[str, Any]]:
        return [payload(command) for command in self.transports[host].executed if command.kind == kind]


def scripted_run(
    answers: Answers | None = None,
    inventory: Inventory | None = None,
    seen: Observed | None = None,
    channels: Mapping[str, ScriptedChannel] | None = None,
    **patience: float,
) -> ScriptedRun:
    """`answers` are those of every host, or a function of the host's name; `channels` are the head's. All hosts
    reach each other."""
    inventory = inventory or builders.inventory()
    fleet, ran, transports = scripted_fleet(inventory, answers or {}, channels or {})
    events: list[Event] = []
    at_end: list[Callable[[], None]] = []
    seen = builders.seen(inventory) if seen is None else seen
    stage = Stage(inventory, seen, fleet, events.append, Patience(**patience), "up demo", at_end.append)
    return ScriptedRun(stage, events, ran, transports, at_end)


def scripted_fleet(
    inventory: Inventory, answers: Answers, channels: Mapping[str, ScriptedChannel]
) -> tuple[Fleet, list[tuple[str, str]], dict[str, RecordingTransport]]:
    ran: list[tuple[str, str]] = []
    transports = {
        spec.name: RecordingTransport(
            spec.name,
            ran,
            {
                "port_probe": reach_answer,
                "collect": "",
                "http_request": asked_for_real,
                "unit_status ray": status_answer(),
                **(answers(spec.name) if callable(answers) else answers),
            },
            trial_channels() | (dict(channels) if spec.role == "head" else {}),
        )
        for spec in inventory.hosts
    }
    return Fleet([Host(name, transport) for name, transport in transports.items()]), ran, transports


def trial_channels() -> dict[str, ScriptedChannel]:
    return {kind: ScriptedChannel([answer]) for kind, answer in TRIAL_ANSWERS.items()}


def reach_answer(command: Command, problem: str = "") -> Result:
    """The answer of a host that reaches all its peers, or none of them because of `problem`."""
    keys = ("peer", "address", "port")
    reaches = [
        {**{key: target[key] for key in keys}, "problem": problem} for target in payload(command)["targets"]
    ]
    return Result(0, json.dumps({"reaches": reaches}), "")


def asked_for_real(command: Command) -> Result:
    """The answer of what listens on this machine, to a request that a host of ours makes."""
    data = payload(command)
    path = "/" + data["url"].split("/", 3)[3]
    where = Endpoint(data["url"].removesuffix(path), "a host", data["key"], "/opt/vllm")
    answer = where.ask(EndpointRequest(path, data["body"]), data["timeout"])
    return Result(0, json.dumps({"status": answer.status, "text": answer.text}), "")


def payload(command: Command) -> dict[str, Any]:
    """Returns the data that a command sends to its program."""
    data: dict[str, Any] = json.loads(command.stdin.splitlines()[-1])
    return data


def facts_answer(facts: Facts) -> str:
    """The answer of the program that collects facts."""
    return facts.model_dump_json()


def status_answer(text: str = "", presence: Presence = Presence.ALIVE, **overrides: Any) -> str:
    """The answer about a unit that runs, or as `overrides` have it."""
    state: dict[str, Any] = {"presence": presence, "status": None, "lost": []}
    fields = {**state, "offset": len(text), "text": text, "read": 0, "health": 0}
    assert set(overrides) <= set(fields) <= set(UnitStatus.__dataclass_fields__)
    return json.dumps({**fields, **overrides})


def stop_answer(*commands: str, another: bool = False) -> str:
    """The answer of a stop that left these commands, from pid 70 on."""
    left = [{"pid": pid, "command": command} for pid, command in enumerate(commands, 70)]
    return json.dumps({"left": left, "another": another})
