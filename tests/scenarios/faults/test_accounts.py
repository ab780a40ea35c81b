"""The remote user."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.scenarios.faults.case import Case

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

_NOISE = 'echo welcome to the cluster; echo \'{"not": "ours"}\'; echo mind the step >&2\n'


def give_shell(case: Case, host: str, path: str) -> None:
    case.hosts.run(host, "sed", "-i", f"s#^root:\\(.*\\):[^:]*$#root:\\1:{path}#", "/etc/passwd")
    assert path in case.hosts.run(host, "grep", "^root:", "/etc/passwd")


def test_login_shells(case: Case) -> None:
    """the login shell of the remote user is fish on the head and tcsh on a worker"""
    for host, shell in zip(case.host_names, ("fish", "tcsh"), strict=True):
        path = shutil.which(shell)
        if path is None:
            pytest.skip(f"no {shell} on this machine")
        give_shell(case, host, path)
    case.up()
    case.operator.down()
    for host, shell in zip(case.host_names, ("fish", "tcsh"), strict=True):
        case.fault = f"the login shell of the remote user on {host} is {shell}"
        case.add_quiet_row("announced; `down`")


def test_a_noisy_bashrc_and_a_locale_that_is_not_there(case: Case) -> None:
    """the .bashrc of the remote user writes to stdout (JSON as well) and to stderr"""
    for host in case.host_names:
        give_shell(case, host, "/bin/bash")
        case.hosts.write(host, "/root/.bashrc", _NOISE)
        case.hosts.write(host, "/etc/environment", "LANG=tlh_KL.ISO-8859-15\nLC_ALL=tlh_KL.ISO-8859-15\n")
    done = case.operator.run("up", case.hosts.inventory, "--output", "plain", LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    case.add_quiet_row("announced")
    case.fault = "the locale of the remote user does not exist, and the operator's is C"
    case.add_quiet_row("announced")


def test_accounts_that_run_nothing(case: Case) -> None:
    """It is told before anything is started."""
    case.fault = "the .bashrc of the remote user on a worker ends the shell"
    give_shell(case, "node1", "/bin/bash")
    case.hosts.write("node1", "/root/.bashrc", "echo this account is closed; exit 3\n")
    assert case.refused(3).host == "node1"
    case.hosts.run("node1", "rm", "/root/.bashrc")
    case.fault = "the account on a worker may not log in (nologin)"
    give_shell(case, "node1", "/usr/sbin/nologin")
    assert case.refused(3).host == "node1"
    give_shell(case, "node1", "/bin/bash")


def test_a_user_without_root(case: Case) -> None:
    """the remote user is not root"""
    for host in case.host_names:
        make = "useradd -m -s /bin/bash ops && cp -r /root/.ssh /home/ops/ && chown -R ops /home/ops/.ssh"
        # The sandbox's Python may lie in root's home.
        case.hosts.run(host, "sh", "-c", f"{make} && chmod 755 /root")

    def change(one: dict[str, Any]) -> None:
        one["defaults"]["user"] = "ops"

    inventory = case.edited(change)
    case.up(inventory)
    owners = {host: case.hosts.run(host, "ps", "-eo", "user=,args=").splitlines() for host in case.host_names}
    rays = [line for lines in owners.values() for line in lines if "raylet/raylet" in line]
    assert len(rays) == 2
    assert all(line.startswith("ops") for line in rays)
    case.operator.down(inventory)
    case.add_quiet_row("announced; `down`")


def test_a_clock_that_jumps(case: Case) -> None:
    """the clock of a worker jumps by 90 s (as the programs of the venv see it) while vLLM serves"""
    case.up()
    # Once, although such a file may be read twice.
    clock = "dict(then=time.time, time=lambda then=time.time: then() + 90)"
    jump = f"import time; hasattr(time, 'then') or time.__dict__.update({clock})"
    case.inject(
        lambda: case.hosts.run("node1", "sh", "-c", f'echo "$1" > {case.site_packages}/jump.pth', "sh", jump)
    )
    report = case.finding(case.operator.run("check", case.hosts.inventory, "--output", "json"), "clock")
    assert report.host == "node1"
    assert report.cause.startswith(("89", "90", "91"))
    assert case.repair() == []
