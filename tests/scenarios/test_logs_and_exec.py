"""Commands on hosts and logs of hosts, over real SSH, where there is no cluster and where a host is lost."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario

Done = subprocess.CompletedProcess[str]


def test_exec_needs_no_cluster(pair: Hosts, operator: Operator) -> None:
    def run(*words: str) -> Done:
        return operator.run("exec", pair.inventory, *words)

    named = run("--", "sh", "-c", 'echo "$1 on $(hostname)"', "sh", "$HOME; a  b")
    assert (named.returncode, named.stderr) == (0, "")
    assert named.stdout == "".join(f"{host} | $HOME; a  b on {host}\n" for host in HOSTS)

    assert run("node1", "--", "python", "-c", "import ray; print(ray.__version__)").stdout.count(".") == 2
    assert run("node1", "--", "sh", "-c", "exit 42").returncode == 42
    late = run("node1", "--timeout", "1", "--", "sh", "-c", "echo begun; exec sleep 600")
    assert (late.returncode, late.stdout) == (5, "begun\n")
    assert "✗ node1: could not run sh (timed out)" in late.stderr
    pair.assert_clean(*HOSTS)

    one = run("--output", "json", "--", "sh", "-c", 'test "$(hostname)" = node0')
    assert one.returncode == 5
    assert [host["status"] for host in json.loads(one.stdout)["hosts"]] == [0, 1]


def test_a_host_that_is_lost(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    lost = pair.edited(tmp_path / "lost.yaml", lambda one: one["hosts"][1].update(port=9))
    ran = operator.run("exec", lost, "--", "hostname")
    assert (ran.returncode, ran.stdout) == (4, "node0 | node0\n")
    assert "✗ node1: could not connect to " in ran.stderr
    read = operator.run("logs", lost)
    assert (read.returncode, read.stdout) == (4, "")
    assert "node0: no log of ray or vllm" in read.stderr
    assert "✗ node1: could not connect to " in read.stderr


def test_a_host_that_never_stops_talking(pair: Hosts, operator: Operator) -> None:
    """Its shell fills what it is given: each command ends soon, needs little memory, and shows the other host."""
    pair.write("node1", "/root/.bashrc", "tr '\\0' x < /dev/zero\n")
    try:
        for verb, code, most, memory in (
            ("status", 0, "512 KiB", 72),
            ("check", 3, "512 KiB", 72),
            ("logs", 5, "11 MiB", 96),
        ):
            process = operator.start(verb, pair.inventory)
            peak, ended = 0, False
            while not ended:
                peak = max(peak, resident_mib(process.pid))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                    ended = True
            out, err = process.communicate()
            assert process.returncode == code, out + err
            assert f"the output is larger than {most}" in out + err
            assert "node0" in out + err
            assert 0 < peak < memory, verb
    finally:
        pair.run("node1", "rm", "/root/.bashrc")


def resident_mib(pid: int) -> int:
    """Returns 0 for one that has ended."""
    with suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return 0
