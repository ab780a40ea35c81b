"""What an upgrade must not change, proved on a cluster that the old code brought up.

Only facts on the hosts, exit codes and JSON are compared, never a sentence.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import ROOT, Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.scenarios.running import Running, running
from tests.upgrade.report import Report
from tests.upgrade.units import Unit, described, differences, lease, log_has_begun, units

_HEAD, _WORKER = HOSTS
_LOCKED = 8
_SLOW = {"rank": 3, "seconds": 3}


@dataclass(frozen=True)
class Upgrade:
    """Two hosts and their inventory; `scratch` is for what operators remember."""

    hosts: Hosts
    inventory: Path
    old_code: Path
    scratch: Path
    report: Report

    def old(self, name: str) -> Operator:
        return Operator(self.scratch / name, code=self.old_code)

    def new(self, name: str) -> Operator:
        """One by the name of an old operator has what that one remembers."""
        return Operator(self.scratch / name, code=ROOT)


def plans_are_equal(upgrade: Upgrade) -> None:
    """Layouts that two small hosts cannot have: each inventory that came with the old code."""
    with upgrade.report.proof("`plan` of the old inventories: argv and environment of all units") as compared:
        for path in sorted(upgrade.old_code.glob("examples/*.yaml")):
            before, after = (
                _planned(one.run("plan", path, "--output", "json")) for one in _both(upgrade, "plans")
            )
            _assert_equal(before, after)
            compared.append(f"{path.stem} {len(before)} = {len(after)} units")


def a_running_cluster_is_kept(upgrade: Upgrade) -> None:
    """The old code brings it up; the new one finds it, leaves it alone, and takes it down."""
    old, new = _both(upgrade, "complete")
    old.up(upgrade.inventory)
    shutil.copytree(old.state, upgrade.scratch / "left")
    before = units(upgrade.hosts, *HOSTS)
    with upgrade.report.proof("`up` launches nothing") as compared:
        _assert_launches_nothing(upgrade, new, before, compared)
    left = upgrade.new("left")
    with upgrade.report.proof("`status` without an inventory takes the one that the old code kept") as compared:
        _assert_seen(left.run("status", "--output", "json"), compared)
    with upgrade.report.proof("`down` without an inventory leaves both hosts clean") as compared:
        _assert_gone(upgrade.hosts, left, HOSTS, compared)


def a_loading_engine_is_attached_to(upgrade: Upgrade) -> None:
    """It is stopped half-way, so that it loads for as long as this takes; the old `up` is lost meanwhile."""
    hosts, (old, new) = upgrade.hosts, (upgrade.old("loading"), upgrade.new("somebody"))
    hosts.behave(slow_rank=_SLOW)
    with running(old, "up", upgrade.inventory) as run:
        wait_for("the engine to load", lambda: log_has_begun(hosts, _HEAD, "vllm"))
        before, held = units(hosts, *HOSTS), lease(hosts, _HEAD)
        engine = str(before[f"{_HEAD}/vllm"]["leader"])
        hosts.run(_HEAD, "kill", "-STOP", engine)
        with upgrade.report.proof("a lease that the old code holds is seen") as compared:
            _assert_refused(new, upgrade.inventory, held, compared)
        assert run.process.poll() is None, run.rest()
        run.send(signal.SIGHUP)
    with running(new, "up", upgrade.inventory, ORCHESTRATOR_PATIENCE_LEASE="60") as run:
        wait_for(
            "the new code to have the lease", lambda: lease(hosts, _HEAD).get("pid", held["pid"]) != held["pid"]
        )
        with upgrade.report.proof("a lease that the new code holds is seen by the old") as compared:
            _assert_refused(old, upgrade.inventory, lease(hosts, _HEAD), compared)
        hosts.run(_HEAD, "kill", "-CONT", engine, check=False)
        with upgrade.report.proof("`up` attaches to an engine that still loads") as compared:
            _assert_attached(hosts, run, before, compared)


def hosts_that_have_left_are_cleaned(upgrade: Upgrade) -> None:
    """What the old code remembers of the hosts in use is all that leads to the one that left the inventory."""
    hosts, new = upgrade.hosts, upgrade.new("loading")
    hosts.behave()
    alone = hosts.edited(upgrade.scratch / "alone.yaml", _without_worker)
    with upgrade.report.proof("`up` with one host less cleans the one that has left the inventory") as compared:
        running_there = len(hosts.processes(_WORKER))
        announced = new.up(alone)
        assert announced["hosts"] == [_HEAD], announced["hosts"]
        hosts.assert_clean(_WORKER)
        compared.append(f"{_WORKER} {running_there} processes -> 0, no file")
    with upgrade.report.proof("`down` of what is left leaves both hosts clean") as compared:
        _assert_gone(hosts, new, (_HEAD,), compared)


def _both(upgrade: Upgrade, name: str) -> tuple[Operator, Operator]:
    """The old code and the new one, by somebody who remembers the same with both."""
    return upgrade.old(name), upgrade.new(name)


def _without_worker(inventory: dict[str, Any]) -> None:
    del inventory["hosts"][1]
    inventory["serve"]["tensor_parallel_size"] //= 2


def _planned(done: subprocess.CompletedProcess[str]) -> dict[str, Unit]:
    """Returns the units of a plan, with the fields of a record that it has."""
    assert done.returncode == 0, done.stdout + done.stderr
    planned = json.loads(done.stdout)["plan"]["hosts"]
    return {
        f"{host['name']}/{unit['name']}": {"argv": unit["command"], "env": dict(unit["environment"])}
        for host in planned
        for unit in host["units"]
    }


def _assert_equal(before: Mapping[str, Unit], after: Mapping[str, Unit]) -> None:
    changed = differences(before, after)
    assert not changed, "; ".join(changed)


def _assert_launches_nothing(
    upgrade: Upgrade, new: Operator, before: dict[str, Unit], compared: list[str]
) -> None:
    """What launches is entered where nothing runs and skipped here: one phase for each kind of unit, at least."""
    nothing = json.loads(new.run("plan", upgrade.inventory, "--output", "json").stdout)["phases"]
    needed = {phase["title"] for phase in nothing if not (phase["skipped"] or phase["only"])}
    done = new.run("up", upgrade.inventory, "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    _assert_equal(before, units(upgrade.hosts, *HOSTS))
    entered = {event["title"] for event in new.events(done, "phase_started")}
    skipped = {event["title"] for event in new.events(done, "phase_skipped")}
    launching = len({(name.startswith(_HEAD), one["unit"]) for name, one in before.items()})
    assert entered <= needed, entered - needed
    assert len(needed & skipped) >= launching, (launching, needed & skipped)
    compared += [described(before), f"JSON: skipped {', '.join(sorted(needed & skipped))}"]


def _assert_seen(done: subprocess.CompletedProcess[str], compared: list[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    alive = [(host["host"], host["ray"], host["vllm"]) for host in said["hosts"]]
    assert alive == [(_HEAD, "alive", "alive"), (_WORKER, "alive", "absent")], alive
    assert (said["endpoint"]["health"], said["endpoint"]["tokens"]) == (True, True), said["endpoint"]
    compared += [", ".join(map(str, alive)), "health and tokens"]


def _assert_gone(hosts: Hosts, operator: Operator, told: Sequence[str], compared: list[str]) -> None:
    done = operator.run("down", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert (said["hosts"], said["free"]) == (list(told), True), said
    hosts.assert_clean(*HOSTS)
    compared += [f"{host} no process, no file, {hosts.gpus_in_use(host)} GPUs in use" for host in HOSTS]


def _assert_refused(operator: Operator, inventory: Path, held: Mapping[str, Any], compared: list[str]) -> None:
    """Neither verb does anything, and each says who has it, as the head does."""
    for verb in ("up", "down"):
        done = operator.run(verb, inventory, "--output", "json")
        assert done.returncode == _LOCKED, (done.returncode, done.stdout, done.stderr[-3000:])
        said = json.loads(done.stdout)["lease"]
        assert said == {name: held[name] for name in said}, (said, held)
        compared.append(
            f"{verb} exit {done.returncode}, {said['owner']} on {said['machine']} since {said['since']}"
        )


def _assert_attached(hosts: Hosts, run: Running, before: Mapping[str, Unit], compared: list[str]) -> None:
    code = run.finish()
    assert code == 0, (code, run.said[-3:])
    assert run.process.stdout
    announced = json.loads(run.process.stdout.read())
    _assert_equal(before, units(hosts, *HOSTS))
    assert (announced["hosts"], bool(announced["token"])) == (list(HOSTS), True), announced
    compared += [described(before), f"announced with token {announced['token']!r}"]
