"""Records without processes and processes without keepers, beside a vLLM of somebody else that nobody touches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.scenarios.conftest import HOSTS, ONE_GPU_EACH
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_THEIRS = "import http.server as h; h.HTTPServer(('', 8123), h.BaseHTTPRequestHandler).serve_forever()"
#: Its name says nothing more than that of ours would.
_SERVE = 'setsid -f "$1" -c "$2" vllm serve baidu/ERNIE >/dev/null 2>&1 </dev/null'


@pytest.fixture
def foreign(pair: Hosts) -> Iterator[int]:
    """Somebody's vLLM on the worker, as far as its command line tells."""
    pair.run("node1", "sh", "-c", _SERVE, "sh", "/usr/bin/python3", _THEIRS)
    wait_for("their server", lambda: pair.pids("node1", "8123"))
    (pid,) = pair.pids("node1", "8123")
    yield pid
    pair.kill("node1", pid)


@pytest.fixture
def boots(pair: Hosts) -> Iterator[None]:
    yield
    for host in HOSTS:
        pair.run(host, "umount", _BOOT_ID, check=False)


def reboot(hosts: Hosts, host: str, spared: int = 0) -> None:
    """What a host is after it: the disk as it was, no process, another boot."""
    hosts.kill(host, *(pid for pid in hosts.processes(host) if pid != spared))
    hosts.write(host, "/run/boot_id", f"{uuid4()}\n")
    hosts.run(host, "mount", "--bind", "/run/boot_id", _BOOT_ID)
    hosts.run(host, "sh", "-c", "rm -rf /dev/shm/*")
    wait_for("no process", lambda: set(hosts.processes(host)) <= {spared})


def keeper(hosts: Hosts, host: str, unit: str) -> int:
    (record,) = hosts.run(host, "find", "/var/tmp", "-path", f"*/{unit}/record.json").split()
    return int(json.loads(hosts.run(host, "cat", record))["keeper"])


@ONE_GPU_EACH
def test_hosts_that_were_rebooted(pair: Hosts, operator: Operator, foreign: int, boots: None) -> None:
    operator.up(pair.inventory)
    reboot(pair, "node1", spared=foreign)
    operator.up(pair.inventory)
    assert [len(pair.pids(host, "raylet/raylet")) for host in HOSTS] == [1, 1]
    assert [pair.gpus_in_use(host) for host in HOSTS] == [1, 1]
    reboot(pair, "node0")
    operator.down(pair.inventory)
    pair.assert_clean("node0")
    assert set(pair.processes("node1")) == {foreign}


@ONE_GPU_EACH
def test_keepers_that_were_killed(pair: Hosts, operator: Operator) -> None:
    """Their trees live on; the next run knows them for ours all the same."""
    operator.up(pair.inventory)
    pair.kill("node1", keeper(pair, "node1", "ray"))
    assert pair.pids("node1", "raylet/raylet")
    operator.up(pair.inventory)
    assert [len(pair.pids(host, "raylet/raylet")) for host in HOSTS] == [1, 1]
    for host, unit in (("node0", "vllm"), ("node0", "ray"), ("node1", "ray")):
        pair.kill(host, keeper(pair, host, unit))
    operator.down(pair.inventory)
    pair.assert_clean(*HOSTS)
