"""A cluster that runs: its logs, a wedged engine, a killed head, a full disk; a foreign Ray survives it all."""

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

from tests.scenarios.conftest import HOSTS, ONE_GPU_EACH
from tests.scenarios.hosts import ROOT, Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.scenarios.test_check_gpus import check, machine
from tests.timing import LIMIT

pytestmark = pytest.mark.scenario

_STATE = "/srv/state"
_RAY = (
    f"{sys.prefix}/bin/ray", "start", "--head", "--node-ip-address=127.0.0.1", "--port=7379",
    "--node-manager-port=7380", "--object-manager-port=7381", "--min-worker-port=20002", "--max-worker-port=20100",
    "--num-cpus=1", "--num-gpus=0", "--object-store-memory=80000000", "--include-dashboard=false",
    "--temp-dir=/run/theirs", "--disable-usage-stats",
)  # fmt: skip
_TASK = "import ray; ray.init('127.0.0.1:7379'); print(ray.get(ray.remote(lambda: 6 * 7).remote()))"


@pytest.fixture
def foreign(pair: Hosts) -> Iterator[set[int]]:
    """Somebody's Ray on the head, started by hand with a token in their home: its processes."""
    pair.write("node0", "/root/.ray/auth_token", "ab" * 32)
    pair.run("node0", *_RAY)
    yield set(pair.pids("node0", "/run/theirs"))
    pair.kill("node0", *pair.processes("node0"))
    pair.run("node0", "rm", "-rf", "/root/.ray", "/run/theirs")


@pytest.fixture
def inventory(pair: Hosts, operator: Operator, tmp_path: Path) -> Iterator[Path]:
    """The state directory is a small disk of its own on the head."""
    for host in HOSTS:
        pair.run(host, "mkdir", "-p", _STATE)
    pair.run("node0", "mount", "-t", "tmpfs", "-o", "size=1100m", "tmpfs", _STATE)
    path = pair.edited(tmp_path / "disk.yaml", lambda one: one["runtime"].update(state_directory=_STATE))
    yield path
    pair.run("node0", "rm", "-f", f"{_STATE}/fill")
    operator.down(path)
    pair.run("node0", "umount", "-l", _STATE)
    for host in HOSTS:
        pair.run(host, "rm", "-rf", _STATE)


@ONE_GPU_EACH
def test_what_becomes_of_it(
    pair: Hosts, operator: Operator, inventory: Path, foreign: set[int], tmp_path: Path
) -> None:
    announced = operator.up(inventory)
    assert _status(operator)["endpoint"]["tokens"] is True
    _see_its_ranks_by_pids_that_mean_nothing(pair, operator, inventory)
    _read_its_logs(operator)
    _follow_its_logs(pair, operator, tmp_path, announced)
    _wedge(pair, operator)
    _kill_the_heads_ray(pair, operator, inventory)
    pair.run("node0", "dd", "if=/dev/zero", f"of={_STATE}/fill", "bs=1M", check=False)
    operator.down()
    assert set(pair.pids("node0", "/run/theirs")) >= foreign
    assert pair.pids("node0", _STATE) == []
    assert pair.pids("node0", "vllm") == []
    assert pair.gpus_in_use("node0") == 0
    assert pair.run("node0", "env", "RAY_AUTH_MODE=token", sys.executable, "-c", _TASK).split()[-1] == "42"
    pair.assert_idle("node1")
    for host in HOSTS:
        left = pair.run(host, "find", _STATE, "-type", "f", "-not", "-path", "*/cache/*")
        assert left.split() == ([f"{_STATE}/fill"] if host == "node0" else [])


def _status(operator: Operator) -> dict[str, Any]:
    shown = operator.run("status", "--output", "json")
    assert shown.returncode == 0, shown.stderr
    status: dict[str, Any] = json.loads(shown.stdout)
    return status


def _see_its_ranks_by_pids_that_mean_nothing(hosts: Hosts, operator: Operator, inventory: Path) -> None:
    with machine(hosts, pid_offset=1_000_000):
        assert not {name for name, _ in check(operator, hosts, inventory)} & {"gpu-idle", "gpu-memory"}


def _read_its_logs(operator: Operator) -> None:
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


def _follow_its_logs(hosts: Hosts, operator: Operator, tmp_path: Path, announced: dict[str, Any]) -> None:
    with _following(operator, tmp_path, "--lines", "0") as (process, heard):
        wait_for("both hosts are read", lambda: all(hosts.pids(host, " tail") for host in HOSTS))
        wait_for("a request is seen", lambda: _asked(announced, heard))
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 0
        assert process.stderr
        assert process.stderr.read() == ""
    wait_for("nothing is left behind", lambda: not any(hosts.pids(host, " tail") for host in HOSTS))


@contextmanager
def _following(operator: Operator, tmp_path: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
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


def _asked(announced: dict[str, Any], heard: Path) -> bool:
    """Asks once, and tells whether any request was seen so far: what came before the logs were open was not."""
    body = json.dumps({"model": announced["served_name"], "prompt": "1", "max_tokens": 1}).encode()
    request = urllib.request.Request(announced["url"] + "/v1/completions", body)
    urllib.request.urlopen(request, timeout=LIMIT).close()
    return '"POST /v1/completions HTTP/1.1" 200 OK' in heard.read_text()


def _wedge(hosts: Hosts, operator: Operator) -> None:
    """It is healthy all the time; only a token shows that it no longer works."""
    hosts.behave(behaviour="wedge", tokens_before_wedge=0)
    endpoint = _status(operator)["endpoint"]
    assert (endpoint["health"], endpoint["tokens"]) == (True, False)
    hosts.behave(behaviour="serve")


def _kill_the_heads_ray(hosts: Hosts, operator: Operator, inventory: Path) -> None:
    """Keeper and all, while the worker lives: the next `up` has a new head, and workers that joined it."""
    (record,) = hosts.run("node0", "find", _STATE, "-path", "*/ray/record.json").split()
    keeper = json.loads(hosts.run("node0", "cat", record))["keeper"]
    worker = hosts.pids("node1", "raylet/raylet")
    script = (
        'for one in $(ps -o pid= --ppid "$1"); do kill -9 $(ps -o pid= --ppid "$one") "$one"; done; kill -9 "$1"'
    )
    hosts.run("node0", "sh", "-c", script, "sh", str(keeper), check=False)
    announced = operator.up(inventory)
    assert announced["hosts"] == list(HOSTS)
    assert [hosts.gpus_in_use(host) for host in HOSTS] == [1, 1]
    again = hosts.pids("node1", "raylet/raylet")
    assert len(again) == 1
    assert again != worker
