"""One fault: what is done to whom, what is told of it, how it goes on, and what is left in the end."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.scenarios.faults.parsed_report import Told, of_event, of_report, of_status
from tests.scenarios.faults.table import Row
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.running import Running, running

#: Patience that a test has time for; a person's is longer.
HASTE = {"ORCHESTRATOR_PATIENCE_CONNECT": "3", "ORCHESTRATOR_PATIENCE_TOKEN": "5"}

#: Seconds within which whoever asks for the status is told of a fault.
_SHOWN = 60.0


@dataclass
class Case:
    """`fault` and `group` are words for the page; `rows` is what goes there; `lost` are hosts that are
    gone for good."""

    group: str
    fault: str
    hosts: Hosts
    operator: Operator
    rows: list[Row] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    struck: float = 0.0

    @property
    def packages(self) -> str:
        """Where the hosts have what Python imports."""
        return sysconfig.get_path("purelib")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(host["name"] for host in _document(self.hosts.inventory)["hosts"])

    def edited(self, change: Callable[[dict[str, Any]], None], name: str = "edited") -> Path:
        """Another inventory of these hosts."""
        return self.hosts.edited(self.operator.state.parent / f"{name}.yaml", change)

    def serve(self, inventory: Path | None = None) -> dict[str, Any]:
        return self.operator.up(inventory or self.hosts.inventory)

    def strike(self, *faults: Callable[[], object]) -> None:
        """The fault happens now."""
        self.struck = time.time()
        for fault in faults:
            fault()

    def tell(self, told: Told, seconds: float | None, then: str = "", fault: str = "") -> None:
        """A row; everything that is told has host, cause and cure."""
        assert told.whole, told
        self.rows.append(Row(self.group, fault or self.fault, told, seconds, then))

    def quiet(self, then: str) -> None:
        """Nothing had to be told: it went well in spite of the fault."""
        self.rows.append(Row(self.group, self.fault, Told("–", "–", "–"), None, then))

    def then(self, what: str) -> None:
        """How the last one went on."""
        last = self.rows[-1]
        self.rows[-1] = Row(**{**vars(last), "then": "; ".join(filter(None, (last.then, what)))})

    def refused(self, code: int, verb: str = "up", inventory: Path | None = None) -> Told:
        """The command ends with this exit code and says why."""
        begun = self.struck or time.time()
        done = self.operator.run(verb, inventory or self.hosts.inventory, "--output", "json")
        seconds = time.time() - begun
        assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-3000:])
        assert "Traceback (most recent call last)" not in done.stderr.splitlines()
        told = self.of(done)
        self.tell(told, seconds, f"exit {code}")
        return told

    def finding(self, done: subprocess.CompletedProcess[str], name: str) -> Told:
        """What `check` says of this check, a warning as well."""
        findings = json.loads(done.stdout)["findings"]
        one = next(one for one in findings if one["name"] == name)
        told = Told(one["host"], one["found"], one["cure"])
        self.tell(told, time.time() - self.struck, f"told by `check` ({one['severity']})")
        return told

    def said(self, event: dict[str, Any], then: str) -> None:
        """A message about a host, with its cure."""
        cause = ": ".join(filter(None, (event["message"], event["cause"])))
        self.tell(Told(event["host"], cause, event["cure"]), _time(event) - self.struck, then)

    def of(self, done: subprocess.CompletedProcess[str]) -> Told:
        return of_report(json.loads(done.stdout))

    @contextmanager
    def during(
        self, title: str, verb: str = "up", inventory: Path | None = None, **more: str
    ) -> Iterator[Running]:
        """A run that has just begun this phase."""
        with running(self.operator, verb, inventory or self.hosts.inventory, **more) as run:
            run.until_phase(title)
            yield run

    def ended(self, run: Running, code: int) -> Told:
        """The run ends by itself with this exit code; the seconds are those to the event that tells it."""
        ended = run.finish()
        assert run.process.stdout
        said = run.process.stdout.read()
        assert ended == code, (ended, said[-2000:], run.said[-4:])
        told = of_report(json.loads(said))
        self.tell(told, self._seconds_to(run, "phase_failed"), f"exit {code}")
        return told

    def warned(self, run: Running, host: str) -> Told:
        """The run says what is wrong with `host`, whether or not it goes on."""
        for event in run.events():
            if told := of_event(event, host):
                self.tell(told, _time(event) - self.struck)
                return told
        raise AssertionError(f"ended without a word of {host}: {run.said[-3:]}")

    def announced(self, run: Running, then: str) -> None:
        """The run went on to its announcement in spite of all."""
        code = run.finish()
        assert code == 0, run.said[-4:]
        self.then(then)

    def shown(self, tells: str = "", inventory: Path | None = None, within: float = _SHOWN) -> Told:
        """Until `status` says this of a host or of the endpoint; at most so many seconds after the fault."""
        while time.time() < self.struck + within:
            told = of_status(self.status(inventory))
            if told and tells in told.cause:
                self.tell(told, time.time() - self.struck, "told by `status`")
                return told
        raise AssertionError(f"status never told: {self.status()}")

    def status(self, inventory: Path | None = None) -> dict[str, Any]:
        done = self.operator.run("status", inventory or self.hosts.inventory, "--output", "json")
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def mends(self, inventory: Path | None = None, *words: str) -> list[str]:
        """`up` announces; which phases that change anything it went through."""
        done = self.operator.run("up", inventory or self.hosts.inventory, *words, "--output", "json")
        assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
        acted = [one["title"] for one in self.operator.events(done, "phase_done")]
        launched = [title for title in acted if title.startswith(("Start", "Launch"))]
        self.then(f"`up`: {', '.join(launched) or 'nothing to launch'}; announced")
        return launched

    def left(self) -> str:
        """What is still on the hosts after a `down`."""
        return ", ".join(
            found for host in self.names if host not in self.lost for found in _left(self.hosts, host)
        )

    def _seconds_to(self, run: Running, kind: str) -> float:
        event = next(event for event in run.said if event["event"] == kind)
        return _time(event) - self.struck


def _document(inventory: Path) -> Any:
    import yaml

    return yaml.safe_load(inventory.read_text())


def _time(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def _left(hosts: Hosts, host: str) -> Iterator[str]:
    for pid, command in hosts.processes(host).items():
        yield f"{host}: pid {pid} {command[:60]}"
    if hosts.gpus_in_use(host):
        yield f"{host}: memory of a GPU"
    find = ("find", "/var/tmp", "-xdev", "-type", "f", "-not", "-path", "*/cache/*")
    for file in hosts.run(host, *find).split():
        yield f"{host}: {file}"
