"""Stopping takes the whole tree of a unit, whatever it has lost, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.command import last_json
from cluster.errors import CommandFailed
from cluster.launch import unit
from cluster.remote.common.processes import command_line, process, processes
from cluster.values import Presence
from tests.cluster.builders import inventory
from tests.cluster.remote.cell import FOREVER, HOST, Cell, deaf, kill, polite, without_disk
from tests.cluster.remote.local import VENV
from tests.timing import eventually

#: The leader, a child in a session of its own that lost its parent, and a child of that.
FAMILY = ("sh", "-c", "setsid -f sh -c 'sleep 601; true' & exec sleep 600")
#: What it consists of once nobody in it is about to run something else.
RELATIVES = {"sleep 600", "sh -c sleep 601; true", "sleep 601"}
#: A leader that ends at once; what it left holds the log open.
ORPHANS = ("sh", "-c", "setsid -f sleep 600; setsid -f sleep 601; echo left")


def members(cell: Cell, commands: set[str]) -> set[int]:
    """The keeper and those with these command lines, once they are all that there is: a shell that is forking has
    a copy of itself beside it."""
    pids = cell.pids()
    others = [command_line(pid) for pid in pids - {cell.record()["keeper"]}]
    return pids if sorted(others) == sorted(commands) else set()


def test_what_is_not_there_is_stopped_already(cell: Cell) -> None:
    assert cell.stop() == []


def test_a_polite_leader_is_heard_out(cell: Cell) -> None:
    cell.launch(polite(0))
    cell.says("ready")
    assert cell.stop() == []
    assert cell.pids() == set()
    assert "heard" in cell.log()
    assert not (cell.folder() / "record.json").exists()
    assert cell.look().presence is Presence.ABSENT


def test_the_probe_stops_as_well(cell: Cell) -> None:
    cell.launch(FOREVER)
    assert HOST.ask(unit.stop("vllm", inventory().head, cell.state, VENV)) == unit.StopResult()
    assert cell.pids() == set()


def test_a_record_that_cannot_be_marked_does_not_keep_it_alive(cell: Cell) -> None:
    """A full disk lets nothing be written."""
    cell.launch(FOREVER)
    left = last_json(HOST.run(without_disk(cell.stopping())).stdout)["left"]
    assert left == []
    assert cell.pids() == set()
    assert {path.name for path in cell.folder().iterdir()} == {"log"}


def test_one_that_ignores_sigterm_is_killed(cell: Cell) -> None:
    cell.launch(deaf())
    cell.says("ready")
    assert cell.stop(patience=0.1) == []
    assert cell.pids() == set()


def test_whoever_launches_meanwhile_waits_for_the_end_of_a_stop(cell: Cell) -> None:
    """One that was left behind by a program that was killed would stop the new unit as well."""
    cell.launch(deaf())
    cell.says("ready")
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(cell.stop, patience=1.0)
        eventually(lambda: cell.record().get("stopping"))
        cell.launch(FOREVER)
        assert stopping.result() == []
    assert cell.look().alive
    assert cell.record()["argv"] == list(FOREVER)


def test_children_in_sessions_of_their_own_are_adopted(cell: Cell) -> None:
    cell.launch(FAMILY)
    family = eventually(lambda: members(cell, RELATIVES))
    assert cell.stop() == []
    assert not family & processes().keys()


def test_orphans_keep_the_unit_dead_but_not_gone(cell: Cell) -> None:
    cell.launch(ORPHANS)
    cell.says("left")
    keeper = cell.record()["keeper"]
    orphans = eventually(lambda: members(cell, {"sleep 600", "sleep 601"})) - {keeper}
    eventually(lambda: cell.record()["status"] == 0)
    assert cell.look().presence is Presence.DEAD
    assert cell.stop() == []
    assert not orphans & processes().keys()


def test_orphans_of_a_leader_that_was_told_to_end_are_told_as_well(cell: Cell) -> None:
    child = "; ".join(polite(0)[2].strip().splitlines()[:3])
    leader = 'trap \'exit 0\' TERM; setsid -f "$0" -c "$1"; while :; do sleep 0.05; done'
    cell.launch(("sh", "-c", leader, sys.executable, f"{child}; time.sleep(600)"))
    cell.says("ready")
    assert cell.stop(patience=15) == []
    assert "heard" in cell.log()


@pytest.mark.parametrize("argv", [FOREVER, FAMILY], ids=["leader", "family"])
def test_a_killed_keeper_leaves_traces(cell: Cell, argv: tuple[str, ...]) -> None:
    cell.launch(argv)
    everybody = eventually(lambda: members(cell, RELATIVES if argv is FAMILY else {"sleep 600"}))
    keeper = cell.record()["keeper"]
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: keeper not in processes())
    assert cell.pids() == everybody - {keeper}
    assert cell.look().presence is Presence.DEAD
    assert cell.stop() == []
    assert not everybody & processes().keys()


def test_a_killed_keeper_that_nobody_collects_is_dead(cell: Cell) -> None:
    cell.launch(FOREVER)
    keeper = cell.record()["keeper"]
    os.kill(keeper, signal.SIGKILL)
    zombie = eventually(lambda: one if (one := process(keeper)) and one.state == "Z" else None)
    assert zombie is not None
    assert zombie.ticks == cell.record()["ticks"]
    assert cell.look().presence is Presence.DEAD


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that is none of ours."""
    with subprocess.Popen(["sleep", "602"], start_new_session=True) as one:
        yield one.pid
        one.kill()


def rewrite(cell: Cell, **changed: Any) -> None:
    path = cell.folder() / "record.json"
    path.write_text(json.dumps(cell.record() | changed))


@pytest.mark.parametrize("boot", [None, "another boot"])
def test_a_pid_that_was_given_out_again_is_nobody_of_ours(cell: Cell, stranger: int, boot: str | None) -> None:
    cell.launch(FOREVER)
    kill(cell.pids())
    rewrite(cell, keeper=stranger, **({"boot": boot} if boot else {}))
    assert cell.pids() == set()
    assert cell.look().presence is Presence.DEAD
    assert cell.stop() == []
    assert stranger in processes()


def test_after_a_reboot_the_same_numbers_mean_nothing(cell: Cell, stranger: int) -> None:
    cell.launch(FOREVER)
    kill(cell.pids())
    one = process(stranger)
    assert one is not None
    rewrite(cell, keeper=stranger, ticks=one.ticks, boot="another boot")
    assert cell.look().presence is Presence.DEAD
    assert cell.stop() == []
    assert stranger in processes()


@pytest.mark.parametrize("record", [None, "", "{", "[]", "{}", '{"keeper": 1}'])
def test_without_a_record_whoever_writes_there_is_ours(cell: Cell, record: str | None) -> None:
    """The keeper does, and so all below it is found: children with a session and files of their own as well."""
    cell.launch(("sh", "-c", "setsid -f sleep 602 >/dev/null 2>&1; echo left; exec sleep 600"))
    cell.says("left")
    everyone = cell.pids()
    assert len(everyone) == 3
    path = cell.folder() / "record.json"
    path.unlink()
    if record is not None:
        path.write_text(record)
    assert cell.pids() == everyone
    assert cell.look().presence is Presence.DEAD
    assert cell.stop() == []
    assert not everyone & processes().keys()


def test_whoever_only_reads_the_log_is_left_alone(cell: Cell) -> None:
    cell.launch(FOREVER)
    with open(cell.folder() / "log") as log, subprocess.Popen(["sleep", "603"], stdin=log) as reader:
        assert reader.pid not in cell.pids()
        assert cell.stop() == []
        assert reader.poll() is None
        reader.kill()


def test_the_other_unit_is_left_alone(cell: Cell) -> None:
    cell.launch(FOREVER, name="ray")
    cell.launch(FOREVER, name="vllm")
    assert cell.stop("vllm") == []
    assert cell.look("ray").presence is Presence.ALIVE
    assert Path(cell.state, "ray", "record.json").exists()


def take_back(cell: Cell, run: str) -> unit.StopResult:
    return HOST.ask(unit.stop("vllm", inventory().head, cell.state, VENV, run))


@pytest.mark.parametrize("theirs", ["another run", ""])
def test_a_rollback_stops_what_its_own_run_has_launched(cell: Cell, theirs: str) -> None:
    """Whoever could not ask for the lease meanwhile may find the unit of another operator, or of older code."""
    cell.launch(FOREVER, run=theirs)
    everyone = cell.pids()
    assert take_back(cell, "this run") == unit.StopResult(others=True)
    assert cell.pids() == everyone
    assert cell.record()["argv"] == list(FOREVER)
    assert cell.stop() == []
    cell.launch(FOREVER, run="this run")
    assert take_back(cell, "this run") == unit.StopResult()
    assert cell.pids() == set()
    assert not (cell.folder() / "record.json").exists()


def test_a_rollback_stops_nothing_that_nobody_has_written_down(cell: Cell) -> None:
    cell.launch(FOREVER, run="this run")
    (cell.folder() / "record.json").unlink()
    with pytest.raises(CommandFailed) as caught:
        take_back(cell, "this run")
    assert caught.value.output == "its record is missing: it is unknown which run has launched it"
    assert cell.stop() == []
