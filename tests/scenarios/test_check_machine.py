"""Hosts whose limits, memory, disk or neighbours are not fit: `check` says exactly that, of that host."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


@pytest.fixture
def untouched(untouched: Hosts) -> Hosts:
    """Nothing here is about the model: seconds less for each look."""
    return untouched.without_trial()


_LIMITS = "/etc/security/limits.d/check.conf"
_RAY = (
    f"{sys.prefix}/bin/ray", "start", "--head", "--node-ip-address=127.0.0.1", "--port=7379",
    "--node-manager-port=7380", "--object-manager-port=7381", "--min-worker-port=20002", "--max-worker-port=20100",
    "--num-cpus=1", "--num-gpus=0", "--object-store-memory=80000000", "--include-dashboard=false",
    "--temp-dir=/run/theirs", "--disable-usage-stats",
)  # fmt: skip

#: Name of the check, what breaks node1, what heals it, and a word of what is found.
_BROKEN = {
    "docker's /dev/shm": (
        "shared-memory", "mount -o remount,size=64m /dev/shm", "mount -o remount,size=8g /dev/shm", "64 MiB",
    ),
    "a /dev/shm that somebody fills": (
        "shared-memory",
        "mount -o remount,size=1300m /dev/shm && dd if=/dev/zero of=/dev/shm/nccl-left bs=1M count=100",
        "rm /dev/shm/nccl-left; mount -o remount,size=8g /dev/shm",
        "1300 MiB, 1200 MiB free",
    ),
    "few open files": (
        "open-files", f"echo 'root - nofile 1024' > {_LIMITS}", f"rm {_LIMITS}", "hard limit 1024",
    ),
    "few processes in the container": (
        "process-limit", "mount -t tmpfs none /sys/fs/cgroup && echo 512 > /sys/fs/cgroup/pids.max",
        "umount /sys/fs/cgroup", "512 processes and threads (pids.max",
    ),
    "little memory in the container": (
        "memory",
        "mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup"
        " && echo 1073741824 > memory.max && echo 0 > memory.current",
        "umount /sys/fs/cgroup", "1024 MiB are available",
    ),
    "a systemd that ends what is left": (
        "left-alone",
        "mkdir -p /run/systemd/system /etc/systemd/logind.conf.d"
        " && printf 'KillUserProcesses=yes\\nKillExcludeUsers=\\n' > /etc/systemd/logind.conf.d/check.conf",
        "rm -r /etc/systemd/logind.conf.d/check.conf /run/systemd/system",
        "systemd ends the processes of root at logout",
    ),
    "a full disk": (
        "state-directory", "mount -t tmpfs -o size=500m none /var/tmp", "umount /var/tmp", "500 MiB free",
    ),
    "a disk without programs": (
        "state-directory", "mount -t tmpfs -o noexec none /var/tmp", "umount /var/tmp", "mounted noexec",
    ),
    "somebody else's directory": (
        "state-directory", "mkdir /var/tmp/o-0 && chown 1234 /var/tmp/o-0", "rmdir /var/tmp/o-0",
        "/var/tmp/o-0 belongs to another user",
    ),
}  # fmt: skip


@contextmanager
def broken(hosts: Hosts, breaks: str, heals: str) -> Iterator[None]:
    try:
        hosts.run("node1", "sh", "-c", breaks)
        yield
    finally:
        # What listened there has a folder below /var/tmp open until it leaves.
        wait_for("node1 to be idle", lambda: not hosts.processes("node1"))
        hosts.run("node1", "sh", "-c", heals)


def check(operator: Operator, inventory: Path, *words: str) -> list[dict[str, str]]:
    done = operator.run("check", inventory, *words, "--output", "json")
    assert done.returncode in (0, 3), done.stderr
    findings: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return findings


def only(findings: list[dict[str, str]], name: str, host: str = "node1") -> dict[str, str]:
    """The one finding, which is of this name and of this host."""
    assert [(one["name"], one["host"]) for one in findings] == [(name, host)], findings
    return findings[0]


def test_healthy_hosts(untouched: Hosts, operator: Operator) -> None:
    assert check(operator, untouched.inventory) == []


@pytest.mark.parametrize("how", _BROKEN)
def test_broken_in_one_way(untouched: Hosts, operator: Operator, how: str) -> None:
    name, breaks, heals, words = _BROKEN[how]
    with broken(untouched, breaks, heals):
        found = only(check(operator, untouched.inventory), name)
    assert words in found["found"]
    assert found["cure"]


def test_systemd_spares_root_by_itself(untouched: Hosts, operator: Operator) -> None:
    file = "/etc/systemd/logind.conf.d/check.conf"
    breaks = f"mkdir -p /run/systemd/system {Path(file).parent}; printf 'KillUserProcesses=yes\\n' > {file}"
    with broken(untouched, breaks, f"rm -r {file} /run/systemd/system"):
        assert check(operator, untouched.inventory) == []


@pytest.fixture
def by_a_user(untouched: Hosts, tmp_path: Path) -> Iterator[Path]:
    """An inventory whose node1 is worked on by `ann`, who is nobody special, and may have 512 processes."""
    untouched.run("node1", "useradd", "-m", "-p", "*", "ann")
    script = (
        "mkdir -m 700 ~ann/.ssh && cp /root/.ssh/authorized_keys ~ann/.ssh/ && chown -R ann ~ann/.ssh"
        f" && chmod a+x /root && echo 'ann - nproc 512' > {_LIMITS}"
    )
    untouched.run("node1", "sh", "-c", script)
    yield untouched.edited(tmp_path / "ann.yaml", lambda one: one["hosts"][1].update(user="ann"))
    untouched.run("node1", "sh", "-c", f"rm {_LIMITS}; chmod 700 /root; userdel -rf ann 2>/dev/null")


def test_a_user_with_few_processes(operator: Operator, by_a_user: Path) -> None:
    found = only(check(operator, by_a_user), "process-limit")
    assert found["found"] == "512 processes and threads (`ulimit -u`, hard limit 512)"
    assert "ann - nproc unlimited" in found["cure"]


@pytest.fixture
def foreign(untouched: Hosts) -> Iterator[list[int]]:
    """Somebody's Ray on node1, started by hand: its processes."""
    untouched.run("node1", *_RAY)
    yield untouched.pids("node1", "/run/theirs")
    untouched.kill("node1", *untouched.processes("node1"))
    untouched.run("node1", "rm", "-rf", "/root/.ray", "/run/theirs")


def test_another_ray_is_told_and_left_alone(untouched: Hosts, operator: Operator, foreign: list[int]) -> None:
    found = only(check(operator, untouched.inventory), "leftovers")
    assert found["severity"] == "warning"
    assert found["found"].startswith("user root runs ")
    for kind in ("gcs_server", "raylet"):
        assert kind in found["found"]
    assert set(foreign) <= set(untouched.pids("node1", "/run/theirs"))
