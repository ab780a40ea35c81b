"""Hosts that cannot be reached: said with host, cause and cure, while the other host stays as it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario

_KEYS = "/root/.ssh/authorized_keys"


def refused(operator: Operator, inventory: Path) -> str:
    """What a person reads of an `up` that ended because node1, and it alone, could not be reached."""
    done = operator.run("up", inventory, "--output", "plain", ORCHESTRATOR_PATIENCE_CONNECT="6")
    assert done.returncode == 4, done.stderr
    assert "node1: could not" in done.stderr
    assert "(unreachable)" in done.stderr
    assert "node0: could not" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def knowing(hosts: Hosts, path: Path, change: Callable[[str], str]) -> Path:
    """An inventory whose known_hosts has the lines of node1 changed, or left out for ""."""
    lines = (hosts.inventory.parent / "known_hosts").read_text().splitlines()
    mine = [change(line) if hosts.address("node1") in line else line for line in lines]
    (path / "known_hosts").write_text("".join(f"{line}\n" for line in mine))

    def point(one: dict[str, Any]) -> None:
        one["known_hosts"] = str(path / "known_hosts")

    return hosts.edited(path / "known.yaml", point)


def test_a_host_that_is_down(untouched: Hosts, operator: Operator) -> None:
    untouched.run("node1", "ip", "link", "set", "eth0", "down")
    try:
        said = refused(operator, untouched.inventory)
    finally:
        untouched.run("node1", "ip", "link", "set", "eth0", "up")
    assert untouched.address("node1") in said


def test_an_sshd_that_hangs(untouched: Hosts, operator: Operator) -> None:
    sshd = untouched.init("node1")
    os.kill(sshd, signal.SIGSTOP)
    try:
        said = refused(operator, untouched.inventory)
    finally:
        os.kill(sshd, signal.SIGCONT)
    assert "no SSH server answered within 6 s" in said


def test_a_key_that_the_host_does_not_know(untouched: Hosts, operator: Operator, tmp_path: Path) -> None:
    key = tmp_path / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    inventory = untouched.edited(tmp_path / "key.yaml", lambda one: one["hosts"][1].update(identity_file=str(key)))
    assert str(key) in refused(operator, inventory)


def test_a_host_key_that_nobody_has_seen(untouched: Hosts, operator: Operator, tmp_path: Path) -> None:
    said = refused(operator, knowing(untouched, tmp_path, lambda line: ""))
    assert "host key unknown" in said
    assert "ssh-keyscan" in said
    assert untouched.address("node1") not in (tmp_path / "known_hosts").read_text()


def test_a_host_key_that_changed(untouched: Hosts, operator: Operator, tmp_path: Path) -> None:
    other = (untouched.inventory.parent / "node0_key.pub").read_text().split()[1]
    inventory = knowing(untouched, tmp_path, lambda line: f"{' '.join(line.split()[:2])} {other}")
    assert "host key changed" in refused(operator, inventory)


def test_a_jump_host_that_refuses_to_forward(untouched: Hosts, operator: Operator, tmp_path: Path) -> None:
    inventory = untouched.edited(tmp_path / "jump.yaml", lambda one: one["hosts"][1].update(jump="node0"))
    keys = untouched.run("node0", "cat", _KEYS)
    untouched.write("node0", _KEYS, f"no-port-forwarding {keys}")
    try:
        said = refused(operator, inventory)
    finally:
        untouched.write("node0", _KEYS, keys)
    assert f"the jump host {untouched.address('node0')} refuses to forward" in said
