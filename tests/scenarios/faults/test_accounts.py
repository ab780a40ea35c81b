"""The remote user."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.scenarios.faults.case import Case

pytestmark = [pytest.mark.scenario, pytest.mark.fault]

_NOISE = 'echo welcome to the cluster; echo \'{"not": "ours"}\'; echo mind the step >&2\n'


@pytest.mark.parametrize("shell", ["fish", "tcsh", "dash"])
def test_a_login_shell(case: Case, shell: str) -> None:
    """the login shell of the remote user is {shell}"""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"no {shell} on this machine")
    for host in case.names:
        case.hosts.run(host, "sed", "-i", f"s#^root:\\(.*\\):[^:]*$#root:\\1:{path}#", "/etc/passwd")
        assert path in case.hosts.run(host, "grep", "^root:", "/etc/passwd")
    case.serve()
    case.quiet("announced")


def test_a_noisy_bashrc(case: Case) -> None:
    """the .bashrc of the remote user writes to stdout (JSON as well) and to stderr"""
    for host in case.names:
        case.hosts.run(host, "sed", "-i", "s#^root:\\(.*\\):[^:]*$#root:\\1:/bin/bash#", "/etc/passwd")
        case.hosts.write(host, "/root/.bashrc", _NOISE)
    case.serve()
    case.quiet("announced")


def test_a_bashrc_that_ends_the_shell(case: Case) -> None:
    """the .bashrc of the remote user on a worker ends the shell"""
    case.hosts.run("node1", "sed", "-i", "s#^root:\\(.*\\):[^:]*$#root:\\1:/bin/bash#", "/etc/passwd")
    case.hosts.write("node1", "/root/.bashrc", "echo this account is closed; exit 3\n")
    assert case.refused(3).host == "node1"


def test_an_account_without_a_shell(case: Case) -> None:
    """the account on a worker may not log in (nologin)"""
    case.hosts.run("node1", "sed", "-i", "s#^root:\\(.*\\):[^:]*$#root:\\1:/usr/sbin/nologin#", "/etc/passwd")
    assert case.refused(3).host == "node1"
    case.hosts.run("node1", "sed", "-i", "s#^root:\\(.*\\):[^:]*$#root:\\1:/bin/bash#", "/etc/passwd")


def test_a_locale(case: Case) -> None:
    """the locale of the remote user does not exist, and the operator's is C"""
    for host in case.names:
        case.hosts.write(host, "/etc/environment", "LANG=tlh_KL.ISO-8859-15\nLC_ALL=tlh_KL.ISO-8859-15\n")
    done = case.operator.run("up", case.hosts.inventory, "--output", "plain", LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    case.quiet("announced")


def test_a_user_without_root(case: Case) -> None:
    """the remote user is not root"""
    for host in case.names:
        make = "useradd -m -s /bin/bash ops && cp -r /root/.ssh /home/ops/ && chown -R ops /home/ops/.ssh"
        # The sandbox's Python may lie in root's home.
        case.hosts.run(host, "sh", "-c", f"{make} && chmod 755 /root")

    def change(one: dict[str, Any]) -> None:
        one["defaults"]["user"] = "ops"

    inventory = case.edited(change)
    case.serve(inventory)
    owners = {host: case.hosts.run(host, "ps", "-eo", "user=,args=").splitlines() for host in case.names}
    rays = [line for lines in owners.values() for line in lines if "raylet/raylet" in line]
    assert len(rays) == 2
    assert all(line.startswith("ops") for line in rays)
    case.operator.down(inventory)
    case.quiet("announced; `down`")


def test_a_clock_that_jumps(case: Case) -> None:
    """the clock of a worker jumps by 90 s (as the programs of the venv see it) while all is up"""
    case.serve()
    line = "import time; time.time = lambda now=time.time: now() + 90"
    case.strike(lambda: case.hosts.run("node1", "sh", "-c", f'echo "$1" > {case.packages}/jump.pth', "sh", line))
    warned = case.operator.run("check", case.hosts.inventory, "--output", "json")
    told = case.finding(warned, "clock")
    assert told.host == "node1"
    assert case.mends() == []


def test_a_clock_that_is_wrong(case: Case) -> None:
    """the clock of a worker is 90 s ahead (as the programs of the venv see it) before `up`"""
    line = "import time; time.time = lambda now=time.time: now() + 90"
    case.hosts.run("node1", "sh", "-c", f'echo "$1" > {case.packages}/jump.pth', "sh", line)
    case.strike()
    told = case.finding(case.operator.run("check", case.hosts.inventory, "--output", "json"), "clock")
    assert told.host == "node1"
    case.mends()
