"""SSH."""

from __future__ import annotations

import os
import signal as signals
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.faults.breakages import signal
from tests.scenarios.faults.case import Case
from tests.scenarios.faults.other_sshd import OtherSshd

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]


def test_an_sshd_that_hangs(case: Case) -> None:
    """sshd of a worker accepts connections and hangs"""
    os.kill(case.hosts.init("node1"), signals.SIGSTOP)
    assert case.refused(4).host == "node1"
    os.kill(case.hosts.init("node1"), signals.SIGCONT)


def sessions(case: Case, host: str) -> list[int]:
    """The processes of sshd that serve connections."""
    listed = case.hosts.run(host, "ps", "-eo", "pid=,args=").splitlines()
    found = [line.split(None, 1) for line in listed if "sshd: " in line and "[listener]" not in line]
    return [int(pid) for pid, _ in found if int(pid) != 1]


def test_sessions_that_hang(case: Case) -> None:
    """the open SSH sessions of a worker hang while vLLM loads, and go on later"""
    case.hosts.behave(load_seconds=50)
    with case.during("Wait until the engine is ready") as run:
        pids = sessions(case, "node1")
        case.inject(lambda: signal(case.hosts, "node1", "STOP", *pids))
        assert case.until_warning(run, "node1").host == "node1"
        signal(case.hosts, "node1", "CONT", *pids)
        case.until_announced(run, "the run went on and announced")


def test_an_sshd_that_is_killed_and_restarted(case: Case) -> None:
    """sshd of a worker and its sessions are killed while vLLM loads; sshd is restarted after the report"""
    case.hosts.behave(load_seconds=40)
    other = OtherSshd.start(case)
    with case.during("Wait until the engine is ready", inventory=other.inventory) as run:
        pids = [other.listener, *sessions(case, "node1")]
        case.inject(lambda: signal(case.hosts, "node1", "KILL", *pids))
        assert case.until_warning(run, "node1").host == "node1"
        other.listen()
        case.until_announced(run, "the run went on and announced")
    other.end()


def test_too_many_logins_at_once(case: Case) -> None:
    """MaxStartups of a worker is exceeded by others"""
    other = OtherSshd.start(case, "MaxStartups 2", "LoginGraceTime 60")
    others = [socket.create_connection((case.hosts.address("node1"), OtherSshd.port), 5) for _ in range(2)]
    try:
        for one in others:
            assert one.recv(4) == b"SSH-"
        report = case.refused(4, inventory=other.inventory)
        assert "MaxStartups" in report.cure
    finally:
        for one in others:
            one.close()
    other.end()


def test_too_few_sessions(case: Case) -> None:
    """MaxSessions of a worker is 1: it refuses a second command on one connection"""
    other = OtherSshd.start(case, "MaxSessions 1")
    case.refused(4, inventory=other.inventory)
    other.end()


def known(case: Case, key: str) -> Path:
    """An inventory that knows the worker by this key."""
    lines = (case.hosts.inventory.parent / "known_hosts").read_text().splitlines()
    host, path = case.hosts.address("node1"), case.operator.state.parent / "known_hosts"
    path.write_text("".join(f"{' '.join([*line.split()[:2], key]) if host in line else line}\n" for line in lines))
    return case.edited(lambda one: one.update(known_hosts=str(path)))


def test_a_host_key_that_changed(case: Case) -> None:
    """the host key of a worker has changed"""
    other = (case.hosts.inventory.parent / "node0_key.pub").read_text().split()[1]
    assert case.refused(4, inventory=known(case, other)).host == "node1"


def test_a_key_that_is_not_accepted(case: Case) -> None:
    """a worker does not accept our key"""
    path = case.operator.state.parent / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)

    def change(one: dict[str, Any]) -> None:
        one["hosts"][1]["identity_file"] = str(path)

    inventory = case.edited(change)
    assert case.refused(4, inventory=inventory).host == "node1"
