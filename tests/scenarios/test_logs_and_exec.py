"""Reading what hosts say, and running commands on them, over real SSH."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import ROOT, Hosts, wait_for
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
    assert "node0: there is no log of ray or vllm" in read.stderr
    assert "✗ node1: could not connect to " in read.stderr


@contextmanager
def following(operator: Operator, tmp_path: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The program, and the file that it writes to."""
    heard = tmp_path / "heard"
    argv = [sys.executable, "-m", "orchestrator", "logs", "--follow", *words]
    with heard.open("w") as file:
        process = subprocess.Popen(
            argv, cwd=ROOT, env=operator.environment(), stdout=file, stderr=subprocess.PIPE, text=True
        )
    try:
        yield process, heard
    finally:
        process.kill()
        process.communicate()


def ask(announced: dict[str, Any]) -> None:
    body = json.dumps({"model": announced["served_name"], "prompt": "1", "max_tokens": 1}).encode()
    request = urllib.request.Request(announced["url"] + "/v1/completions", body)
    urllib.request.urlopen(request, timeout=30).close()


def test_the_logs_of_a_cluster(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    announced = operator.up(pair.inventory)
    read = operator.run("logs")
    assert read.returncode == 0, read.stderr
    origins = {line.partition(" | ")[0] for line in read.stdout.splitlines()}
    assert origins == {"node0 ray", "node0 vllm", "node1 ray"}
    assert "POST /v1/completions" in read.stdout

    last = operator.run("logs", "node0", "--unit", "vllm", "--lines", "1").stdout
    assert last.count("\n") == 1
    assert " | " not in last

    ranks = operator.run("logs", "--unit", "ranks", "--output", "json")
    found = [json.loads(line) for line in ranks.stdout.splitlines()]
    for host in HOSTS:
        sources = [one["source"] for one in found if one["host"] == host]
        assert any(name.startswith("nccl ") for name in sources)
        assert any(name.startswith("worker ") for name in sources)

    with following(operator, tmp_path, "--lines", "0") as (process, heard):
        wait_for("both hosts are read", lambda: all(pair.pids(host, " tail") for host in HOSTS))
        ask(announced)
        wait_for("the request is seen", lambda: '"POST /v1/completions HTTP/1.1" 200 OK' in heard.read_text(), 10)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read() == ""
    wait_for("nothing is left behind", lambda: not any(pair.pids(host, " tail") for host in HOSTS), 10)
