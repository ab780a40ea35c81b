"""The operator and their machine."""

from __future__ import annotations

import json
import signal as signals
import subprocess
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plans import UpOptions, down, up
from orchestrator.run.phase import Phase
from tests.scenarios.faults.breakages import cut, heal, signal
from tests.scenarios.faults.case import Case
from tests.scenarios.faults.parsed_report import ParsedReport
from tests.scenarios.hosts import wait_for
from tests.scenarios.operator import Operator
from tests.scenarios.running import Running

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

_SKIPPED = ("Clean removed hosts", "Stop what is outdated")
_READY = "Wait until the engine is ready"


def kill_in_each(case: Case, verb: str, plan: Sequence[Phase]) -> None:
    """One run after the other is killed, each in a later phase; the next one says whose lease it found."""
    titles = [phase.title for phase in plan if phase.title not in _SKIPPED]
    for title in titles[titles.index("Take the lease") + 1 :]:
        case.fault = f"`{verb}` is killed (SIGKILL) in {title!r}"
        with case.during(title, verb) as run:
            case.inject(lambda run=run: run.send(signals.SIGKILL))  # type: ignore[misc]
        report = took_over(case, verb)
        case.add_row(report, time.time() - case.injected_at, "the next run went on")


def took_over(case: Case, verb: str) -> ParsedReport:
    """The next run says whose lease it found, and is killed as soon as it has said so."""
    with case.during("Take the lease", verb) as run:
        for event in run.events():
            if event["event"] == "host_said" and "took over the lease" in event["line"]:
                return ParsedReport(event["host"], event["line"], "nothing to do: it goes on")
    raise AssertionError("no word of the lease")


def test_up_is_killed_in_each_phase(case: Case) -> None:
    """`up` is killed in each phase"""
    kill_in_each(case, "up", up(UpOptions()))
    case.repair()
    assert [case.hosts.gpus_in_use(host) for host in case.host_names] == [1, 1]


def test_down_is_killed_in_each_phase(case: Case) -> None:
    """`down` is killed in each phase"""
    case.up()
    kill_in_each(case, "down", down())


def test_a_laptop_that_sleeps(case: Case, tmp_path: Path) -> None:
    """the operator's machine sleeps while vLLM loads, somebody else takes over, and it wakes"""
    case.hosts.behave(behaviour="hang")
    with case.during(_READY) as run:
        run.process.send_signal(signals.SIGSTOP)
        wait_for("the lease to be free", lambda: not case.hosts.pids("node0", "lease"))
        other = Operator(tmp_path / "other")
        case.hosts.behave()
        engine = other_up(case, other)
        case.inject(lambda: run.process.send_signal(signals.SIGCONT))
        case.until_failure(run, 8)
    assert case.hosts.pids("node0", "vllm serve") == engine
    assert [case.hosts.gpus_in_use(host) for host in case.host_names] == [1, 1]
    case.add_outcome("nothing was touched of what somebody else had brought up")


def other_up(case: Case, other: Operator) -> list[int]:
    done = other.run("up", case.hosts.inventory, "--restart", "--output", "json")
    assert done.returncode == 0, done.stderr
    return case.hosts.pids("node0", "vllm serve")


def test_a_laptop_that_sleeps_for_a_moment(case: Case) -> None:
    """the operator's machine sleeps while vLLM loads, nobody takes over, and it wakes"""
    case.hosts.behave(load_seconds=32)
    with case.during(_READY) as run:
        run.process.send_signal(signals.SIGSTOP)
        wait_for("the lease to be free", lambda: not case.hosts.pids("node0", "lease"))
        run.process.send_signal(signals.SIGCONT)
        code = run.finish()
    assert code == 0, run.said[-3:]
    case.add_quiet_row("it took its lease again, went on and announced")


def interrupted(case: Case, run: Running, bound: float) -> dict[str, Any]:
    """Ctrl-C, how long it takes to a clean prompt, and what is told then."""
    seconds = run.send(signals.SIGINT)
    assert run.process.returncode == 130
    assert seconds < bound
    assert run.process.stdout
    said: dict[str, Any] = json.loads(run.process.stdout.read())
    undone = sum(event["event"] == "undone" and not event["error"] for event in run.said)
    notes = [line for note in said["notes"] for line in note.splitlines()]
    host = next((line.partition(": ")[0] for line in notes if line.startswith("node")), "all")
    cause = "; ".join([said["message"], f"{undone} phases rolled back", *notes])
    case.add_row(ParsedReport(host, cause, said["cure"] or "nothing to do"), seconds, "exit 130")
    return said


def test_ctrl_c(case: Case) -> None:
    """Ctrl-C while vLLM loads"""
    case.hosts.behave(behaviour="hang")
    with case.during(_READY) as run:
        interrupted(case, run, 20)
    assert [case.hosts.processes(host) for host in case.host_names] == [{}, {}]


def test_ctrl_c_beside_a_host_that_hangs(case: Case) -> None:
    """Ctrl-C while vLLM loads, and a worker hangs"""
    case.hosts.behave(behaviour="hang")
    with case.during(_READY) as run:
        run.until_event("waiting")  # a look at the hosts is under way
        cut(case.hosts, "node1")
        said = interrupted(case, run, 40)
    assert "node1" in str(said["notes"])
    assert "orchestrator down" in str(said["notes"])
    heal(case.hosts, "node1")


def test_operators_at_one_engine(case: Case) -> None:
    """It loads all the while, and whoever comes next attaches to it."""
    case.hosts.behave(load_seconds=60)
    with case.during(_READY) as run:
        engine = case.hosts.pids("node0", "vllm serve")
        case.fault = "a second operator runs `down` while the first one waits"
        case.injected_at = 0.0
        case.refused(8, "down")

        case.fault = "the lease of an operator at work is broken by another one"
        words = ("unlock", str(case.hosts.inventory), "--reason", "a fault on purpose")
        case.inject(lambda: case.operator.run(*words))
        assert "a fault on purpose" in case.until_failure(run, 8).cause
    case.fault = "the terminal of the operator is lost while vLLM loads"
    with case.during(_READY) as run:
        run.send(signals.SIGHUP)
    case.add_quiet_row("the engine goes on loading")
    case.fault = "the program that holds the lease on the head is killed while vLLM loads"
    with case.during(_READY) as run:
        wait_for("the lease", lambda: case.hosts.pids("node0", " lease"))
        signal(case.hosts, "node0", "KILL", *case.hosts.pids("node0", " lease"))
        case.add_quiet_row("")
        case.until_announced(run, "the run took its lease again, went on and announced")
    assert case.hosts.pids("node0", "vllm serve") == engine


def test_a_journal_that_cannot_be_written(case: Case, tmp_path: Path) -> None:
    """It costs the record, not the run."""
    case.fault = "the disk for the journal on the operator's machine is read-only"
    _without_journal(case, Path("/proc/no-such-place"))
    case.fault = "the disk for the journal on the operator's machine is full"
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "none", str(full)], check=True)
    try:
        _without_journal(case, full)
    finally:
        subprocess.run(["umount", str(full)], check=True)


def _without_journal(case: Case, state: Path) -> None:
    other, begun = Operator(state, case.operator.settings), time.time()
    done = other.run("up", case.hosts.inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    said = other.events(done, "host_said")
    (message,) = [event for event in said if event["message"] == "this run has no journal"]
    report = ParsedReport("this machine", message["line"], "ORCHESTRATOR_STATE names another place")
    case.add_row(report, datetime.fromisoformat(message["time"]).timestamp() - begun, "announced")
