"""Hostile users and hosts."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.parsed_report import ParsedReport
from tests.timing import Stopwatch

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

#: Who the reports of faults on the operator's machine are about.
_HERE = "this machine"
_SECRET = "sk-0123456789-do-not-show"
_NOBODY = 65534


def refused(case: Case, *words: str | Path) -> ParsedReport:
    """The report of a command that exits with 2 before any host is asked."""
    case.injected_at = time.time()
    done = case.operator.run(*words, "--output", "json")
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback (most recent call last)" not in done.stderr
    error = json.loads(done.stdout)
    cause = ": ".join(filter(None, (error["message"], error["cause"])))
    report = ParsedReport(_HERE, cause, error["cure"])
    case.add_row(report, time.time() - case.injected_at, "exit 2")
    return report


def test_where_results_go(case: Case, tmp_path: Path) -> None:
    """the result goes to a full disk (/dev/full)"""
    argv = [sys.executable, "-m", "orchestrator", "status", str(case.hosts.inventory), "--output", "json"]
    case.injected_at = time.time()
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            argv, cwd=case.operator.code, env=case.operator.environment(), stdout=full, stderr=subprocess.PIPE
        )
    told = done.stderr.decode().splitlines()
    assert (done.returncode, told[0]) == (1, "✗ failed to write the result to stdout")
    cause, cure = (line.split(maxsplit=1)[1] for line in told[1:])
    assert cause == "No space left on device"
    report = ParsedReport(_HERE, f"failed to write the result to stdout: {cause}", cure)
    case.add_row(report, time.time() - case.injected_at, "`status`: exit 1")

    case.fault = "`diagnose --to` a character device (/dev/null of the test)"
    device = tmp_path / "null"
    os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    assert diagnosed(case, device)["bytes"] > 1000
    assert stat.S_ISCHR(device.lstat().st_mode)
    case.add_quiet_row("it is written into, and stays a device; exit 0")

    case.fault = "`diagnose --to` a fifo that another process reads"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as pool:
        content = pool.submit(fifo.read_bytes)
        size = diagnosed(case, fifo)["bytes"]
    assert len(content.result()) == size
    with tarfile.open(fileobj=BytesIO(content.result())) as archive:
        assert any(name.endswith("node1/versions.txt") for name in archive.getnames())
    case.add_quiet_row("it gets the whole bundle; exit 0")


def diagnosed(case: Case, to: Path) -> dict[str, Any]:
    done = case.operator.run("diagnose", case.hosts.inventory, "--to", to, "--output", "json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def block_device(path: Path) -> None:
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 200))


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


_SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "a fifo that no process reads": (os.mkfifo, "no process reads it"),
    "a block device": (block_device, "it is not a regular file"),
    "a socket": (bound_socket, "it is not a regular file"),
}


def test_where_a_bundle_cannot_go(case: Case, tmp_path: Path) -> None:
    """`diagnose --to` what is no file"""
    for number, (what, (make, cause)) in enumerate(_SPECIAL.items()):
        case.fault = f"`diagnose --to` {what}"
        special = tmp_path / f"special{number}"
        make(special)
        before = special.lstat()
        report = refused(case, "diagnose", case.hosts.inventory, "--to", special)
        assert report.cause == f"{special} cannot be written: {cause}"
        assert "--to" in report.cure
        after = special.lstat()
        assert (before.st_ino, before.st_mode, before.st_rdev) == (after.st_ino, after.st_mode, after.st_rdev)


def test_a_state_folder_of_another_user(case: Case) -> None:
    """the folder of the operator's state belongs to another user"""
    cluster = yaml.safe_load(case.hosts.inventory.read_text())["cluster"]
    folder = case.operator.state / cluster
    folder.mkdir(parents=True)
    os.chown(folder, _NOBODY, _NOBODY)
    for verb in ("up", "down"):
        report = refused(case, verb, case.hosts.inventory)
        assert f"its folder belongs to the user {_NOBODY}" in report.cause
        assert f"remove {folder}, or set ORCHESTRATOR_STATE" in report.cure
    assert list(folder.iterdir()) == []
    assert case.status()["hosts"][0]["ray"] == "absent"
    case.rows.pop()
    case.add_outcome("the same by `down`; nothing was launched, and nothing written there")
    shutil.rmtree(folder)


def test_inventories_of_tired_operators(case: Case) -> None:
    """`--api-ke=KEY` among the arguments of vLLM, which vLLM takes for --api-key"""
    path = case.edited(lambda one: one["serve"]["arguments"].append(f"--api-ke={_SECRET}"), "abbreviated")
    for verb in ("plan", "up"):
        report = refused(case, verb, path)
        assert "--api-ke, which vLLM may read as --api-key, is not allowed: use serve.api_key" in report.cause
        assert _SECRET not in report.cause + report.cure
    case.rows.pop()
    case.add_outcome("by `plan` and `up`; the key is not shown")

    case.fault = "an inventory with 25,000 unknown keys"
    many = path.with_name("many.yaml")
    many.write_text(case.hosts.inventory.read_text() + "".join(f"k{number}: 1\n" for number in range(25_000)))
    assert many.stat().st_size < 256 << 10
    with Stopwatch() as watch:
        report = refused(case, "up", many)
    assert watch.seconds < 20
    assert "and 24,980 more" in report.cause
    assert str(many) in report.cure

    case.fault = "an inventory of more than 256 KiB"
    many.write_text("# " + "x" * (257 << 10))
    assert "larger than 256 KiB: this is not an inventory" in refused(case, "up", many).cause
