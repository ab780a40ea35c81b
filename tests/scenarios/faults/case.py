"""One fault: what is done to whom, the report of it, the outcome, and what is left in the end."""

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

from tests.scenarios.faults.parsed_report import ParsedReport, from_error, from_event, from_status
from tests.scenarios.faults.table import Row
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.scenarios.running import Running, running

#: Short timeouts, which a test has time for.
SHORT_TIMEOUTS = {"ORCHESTRATOR_PATIENCE_CONNECT": "3", "ORCHESTRATOR_PATIENCE_TOKEN": "5"}

#: Seconds within which `status` shows a fault.
_STATUS_LIMIT = 60.0


@dataclass
class Case:
    """`fault` and `group` are texts for the page; `rows` go there; `lost` are hosts that are lost for good."""

    group: str
    fault: str
    hosts: Hosts
    operator: Operator
    rows: list[Row] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    injected_at: float = 0.0

    @property
    def site_packages(self) -> str:
        """The site-packages of the hosts."""
        return sysconfig.get_path("purelib")

    @property
    def host_names(self) -> tuple[str, ...]:
        return tuple(host["name"] for host in _document(self.hosts.inventory)["hosts"])

    def edited(self, change: Callable[[dict[str, Any]], None], name: str = "edited") -> Path:
        """Returns another inventory of these hosts."""
        return self.hosts.edited(self.operator.state.parent / f"{name}.yaml", change)

    def up(self, inventory: Path | None = None) -> dict[str, Any]:
        return self.operator.up(inventory or self.hosts.inventory)

    def inject(self, *faults: Callable[[], object]) -> None:
        """Lets the fault happen, now."""
        self.injected_at = time.time()
        for fault in faults:
            fault()

    def add_row(self, report: ParsedReport, seconds: float | None, then: str = "", fault: str = "") -> None:
        """Adds a row; every report has host, cause and cure."""
        assert report.complete, report
        self.rows.append(Row(self.group, fault or self.fault, report, seconds, then))

    def add_quiet_row(self, then: str) -> None:
        """Adds a row without a report: it went well in spite of the fault."""
        self.rows.append(Row(self.group, self.fault, ParsedReport("–", "–", "–"), None, then))

    def add_outcome(self, outcome: str) -> None:
        """Adds to the outcome of the last row."""
        last = self.rows[-1]
        self.rows[-1] = Row(**{**vars(last), "then": "; ".join(filter(None, (last.then, outcome)))})

    def refused(self, code: int, verb: str = "up", inventory: Path | None = None) -> ParsedReport:
        """Runs a command that exits with this code and reports why."""
        start = self.injected_at or time.time()
        done = self.operator.run(verb, inventory or self.hosts.inventory, "--output", "json")
        seconds = time.time() - start
        assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-3000:])
        assert "Traceback (most recent call last)" not in done.stderr.splitlines()
        report = from_error(json.loads(done.stdout))
        self.add_row(report, seconds, f"exit {code}")
        return report

    def finding(self, done: subprocess.CompletedProcess[str], name: str) -> ParsedReport:
        """The finding of this check, a warning as well."""
        findings = json.loads(done.stdout)["findings"]
        finding = next(finding for finding in findings if finding["name"] == name)
        report = ParsedReport(finding["host"], finding["found"], finding["cure"])
        self.add_row(report, time.time() - self.injected_at, f"told by `check` ({finding['severity']})")
        return report

    def add_message(self, event: dict[str, Any], then: str) -> None:
        """Adds a row for a message about a host, with its cure."""
        cause = ": ".join(filter(None, (event["message"], event["cause"])))
        self.add_row(ParsedReport(event["host"], cause, event["cure"]), _time(event) - self.injected_at, then)

    @contextmanager
    def during(
        self, title: str, verb: str = "up", inventory: Path | None = None, **more: str
    ) -> Iterator[Running]:
        """Yields a run that has just begun this phase."""
        with running(self.operator, verb, inventory or self.hosts.inventory, **more) as run:
            run.until_phase(title)
            yield run

    def until_failure(self, run: Running, code: int) -> ParsedReport:
        """Waits until the run exits by itself with this code; the seconds are those until its failure, which is no
        phase's where the lease is lost between two of them."""
        status, ended = run.finish(), time.time()
        assert run.process.stdout
        output = run.process.stdout.read()
        assert status == code, (status, output[-2000:], run.said[-4:])
        report = from_error(json.loads(output))
        self.add_row(report, self._seconds_to_failure(run, ended), f"exit {code}")
        return report

    def until_warning(self, run: Running, host: str) -> ParsedReport:
        """Waits until the run reports a problem of `host`, whether or not it continues."""
        for event in run.events():
            if report := from_event(event, host):
                self.add_row(report, _time(event) - self.injected_at)
                return report
        raise AssertionError(f"ended without a word of {host}: {run.said[-3:]}")

    def until_announced(self, run: Running, then: str) -> None:
        """Waits until the run announces the endpoint, in spite of the fault."""
        code = run.finish()
        assert code == 0, run.said[-4:]
        self.add_outcome(then)

    def until_status(
        self, cause: str = "", inventory: Path | None = None, within: float = _STATUS_LIMIT
    ) -> ParsedReport:
        """Waits until `status` shows this cause of a host or of the endpoint; `within` seconds of the fault."""
        while time.time() < self.injected_at + within:
            report = from_status(self.status(inventory))
            if report and cause in report.cause:
                self.add_row(report, time.time() - self.injected_at, "told by `status`")
                return report
        raise AssertionError(f"status never told: {self.status()}")

    def status(self, inventory: Path | None = None) -> dict[str, Any]:
        done = self.operator.run("status", inventory or self.hosts.inventory, "--output", "json")
        assert done.returncode == 0, done.stderr[-3000:]
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def repair(self, inventory: Path | None = None, *words: str) -> list[str]:
        """Runs `up`, which announces; returns the phases in which it launched something."""
        done = self.operator.run("up", inventory or self.hosts.inventory, *words, "--output", "json")
        assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
        acted = [event["title"] for event in self.operator.events(done, "phase_done")]
        launched = [title for title in acted if title.startswith(("Start", "Launch"))]
        self.add_outcome(f"`up`: {', '.join(launched) or 'nothing to launch'}; announced")
        return launched

    def left(self) -> str:
        """Returns what is still on the hosts after a `down`."""
        return ", ".join(
            item for host in self.host_names if host not in self.lost for item in _left(self.hosts, host)
        )

    def _seconds_to_failure(self, run: Running, ended: float) -> float:
        failed = next((event for event in run.said if event["event"] == "phase_failed"), None)
        return (_time(failed) if failed else ended) - self.injected_at


def _document(inventory: Path) -> Any:
    import yaml

    return yaml.safe_load(inventory.read_text())


def _time(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def _left(hosts: Hosts, host: str) -> Iterator[str]:
    """What is there once the programs of the last session have heard that it has ended."""
    wait_for(f"sessions to end on {host}", lambda: hosts.processes(host) == hosts.lasting(host))
    for pid, command in hosts.processes(host).items():
        yield f"{host}: pid {pid} {command[:60]}"
    if hosts.gpus_in_use(host):
        yield f"{host}: memory of a GPU"
    find = ("find", "/var/tmp", "-xdev", "-type", "f", "-not", "-path", "*/cache/*")
    for file in hosts.run(host, *find).split():
        yield f"{host}: {file}"
