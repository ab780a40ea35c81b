"""Hostile users and hosts."""

from __future__ import annotations

import json

import pytest

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.other_user import TOP, VICTIM, OtherUser, other_user

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

#: Gives itself the name of a keeper, and keeps a file of the unit open to write.
_KEEPER = """
cat > /var/tmp/keeper.py <<'EOF'
import ctypes, os, time
file = os.open("ray/mine", os.O_WRONLY | os.O_CREAT)
log = os.open("ray/log", os.O_WRONLY | os.O_CREAT)
ctypes.CDLL(None).prctl(15, b"keeper ray", 0, 0, 0)
time.sleep(98765)
EOF
"""

#: Gives the names by which programs of before claimed a port.
_NAMES = """
cat > /var/tmp/names.py <<'EOF'
import socket, time
words = [f"{kind} {port}" for kind in ("unit", "check") for port in range(6379, 6399)]
names = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in words]
for name, text in zip(names, words):
    name.bind("\\0orchestrator " + text)
time.sleep(98765)
EOF
"""


def test_something_in_the_place_of_a_log(case: Case) -> None:
    """a local user has put something in the place of a log"""
    plants = {
        "`log` is their link to a file of the remote user": f"ln -s {VICTIM}/log ray/log",
        "`log` is a pipe, on which nobody writes": "mkfifo ray/log",
    }
    with other_user(case) as nobody:
        for fault, script in plants.items():
            nobody.plants_inside(fault, script)
            _shows_no_log(nobody)
        # This kernel lets no user make a hard link to what is not theirs; others do.
        nobody.plants_inside("`log` is another name of a file of the remote user", "true")
        nobody.root(f"ln {VICTIM}/thesis {nobody.folder}/ray/log")
        nobody.before = nobody.look()
        _shows_no_log(nobody)
        nobody.root(f"rm {nobody.folder}/ray/log")
        nobody.before = nobody.look()


def _shows_no_log(nobody: OtherUser) -> None:
    nobody.told_by_logs(0, "--unit", "ray")
    nobody.told_by_diagnose(0, "ray/log")
    assert nobody.runs("ray") == "absent"
    nobody.case.add_quiet_row("`logs`: no log of ray; `diagnose` leaves it out")


def test_something_in_the_place_of_a_record(case: Case) -> None:
    """a local user has put something in the place of a record"""
    socket = "import socket; socket.socket(socket.AF_UNIX).bind('ray/record.json')"
    plants = {
        "`record.json` is a socket": f'python3 -c "{socket}"',
        "`record.json` is a link to a device that never ends": "ln -s /dev/zero ray/record.json",
    }
    with other_user(case) as nobody:
        for fault, script in plants.items():
            nobody.plants_inside(fault, script)
            assert nobody.runs("ray") == "absent"
            nobody.down()
            case.add_quiet_row("`status`: absent; `down`: exit 0")


def test_a_record_of_a_process_that_is_no_keeper(case: Case) -> None:
    """a record names a process of the remote user"""
    with other_user(case) as nobody:
        (victim,) = nobody.pids
        nobody.plants_inside("their record names a process of the remote user as keeper", nobody.record_of(victim))
        assert nobody.runs("ray") == "absent"
        nobody.down()
        case.add_quiet_row("`status`: absent; `down`: exit 0; the process lives")

        nobody.plants_inside("the pid of a keeper in our record is that of another process by now", "true")
        nobody.root(f"cd {nobody.folder}\n{nobody.record_of(victim)}")
        assert nobody.runs("ray") == "dead"
        nobody.down()
        case.add_quiet_row("`status`: dead; `down`: exit 0; the process lives")


def test_a_process_of_theirs_that_looks_like_ours(case: Case) -> None:
    """a process of a local user calls itself `keeper ray` and writes to our log"""
    with other_user(case) as nobody:
        nobody.root(_KEEPER)
        nobody.plants_inside(
            "their process calls itself `keeper ray`, writes our log, and is in our record", "true"
        )
        nobody.root(f"chmod 777 {nobody.folder}/ray")
        keeper = nobody.process("python3 /var/tmp/keeper.py", where=nobody.folder, theirs=True)
        nobody.wait(f"test -e {nobody.folder}/ray/log && grep -q keeper /proc/{keeper}/comm")
        nobody.root(f"chmod 755 {nobody.folder}/ray; cd {nobody.folder}\n{nobody.record_of(keeper)}")
        nobody.pids[keeper] = nobody.identity(keeper)
        assert nobody.runs("ray") == "dead"
        nobody.down()
        case.add_quiet_row("`status`: dead; `down`: exit 0; the process lives")
        nobody.root("rm keeper.py")


def test_something_in_the_place_of_the_lease(case: Case) -> None:
    """a local user has the place of the lease"""
    plants = {"a pipe": "mkfifo lease", "a folder": "mkdir lease", "a link": f"ln -s {VICTIM}/lease lease"}
    with other_user(case, "node0") as nobody:
        for (what, script), verb in zip(plants.items(), ("up", "down", "down"), strict=True):
            nobody.plants_inside(f"the lease is {what} of theirs", script)
            report = nobody.refused(5, verb)
            assert "rm -r" in report.cure
            assert nobody.root(f"stat -c %U {nobody.folder}/lease") == "nobody\n"


def test_ports_that_a_local_user_claims(case: Case) -> None:
    """a local user claims our ports"""
    with other_user(case) as nobody:
        nobody.root(_NAMES)
        nobody.plants_inside("they have the names by which older code claims ports", "true")
        pid = nobody.process("python3 /var/tmp/names.py", theirs=True)
        nobody.wait("grep -q '@orchestrator check 6398' /proc/net/unix")
        assert nobody.identity(pid)
        _tries_all_ports(nobody)

        nobody.plants_inside("the folder of our port locks is theirs", "mkdir ../ports; touch ../ports/6379")
        _tries_all_ports(nobody)
        assert nobody.root(f"ls {TOP}/ports") == "6379\n"

        nobody.plants_inside("a port lock is a pipe of theirs", "mkdir ../ports; mkfifo ../ports/6379")
        nobody.root(f"chown 0:0 {TOP}/ports; chmod 700 {TOP}/ports")
        _tries_all_ports(nobody)
        assert nobody.root(f"stat -c %F {TOP}/ports/6379") == "fifo\n"
        nobody.root("rm names.py")


def _tries_all_ports(nobody: OtherUser) -> None:
    """A port that somebody of ours has is left alone, and `reach` is then not among what passed."""
    done = nobody.case.operator.run("check", nobody.case.hosts.inventory, "--output", "json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["findings"] == []
    assert "reach" in report["passed"]
    nobody.assert_untouched()
    nobody.case.add_quiet_row("`check` tries every port: exit 0")
