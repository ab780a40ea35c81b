"""Hostile users and hosts."""

from __future__ import annotations

import pytest

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.other_user import TOP, VICTIM, OtherUser, other_user

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

#: Swaps a folder of their own with a link, as fast as it can.
_SWAP = """
cat > /var/tmp/swap.py <<'EOF'
import ctypes, os
os.symlink("{victim}", "{top}")
os.makedirs("{top}.mine/{name}/ray")
os.symlink("{victim}/log", "{top}.mine/{name}/ray/log")
swap = ctypes.CDLL(None).renameat2
while True:
    swap(-100, b"{top}", -100, b"{top}.mine", 2)
EOF
"""


def test_something_in_the_place_of_the_users_folder(case: Case) -> None:
    """a local user has the place of `o-UID`"""
    with other_user(case) as nobody:
        nobody.plants("`o-UID` is their link to a folder of the remote user", f"ln -s {VICTIM} {TOP}")
        assert f"{TOP} is a symbolic link of user nobody" in nobody.refused(3, "up").cause

        nobody.plants("`o-UID` is their folder, the cluster's a link", f"mkdir {TOP}; ln -s {VICTIM} {{folder}}")
        report = nobody.refused(7, "down")
        assert f"{TOP} is not private to this user: it belongs to user nobody" in report.cause
        assert f"rm -r -- {TOP}" in report.cure

        nobody.plants("`o-UID` is a file", f"echo mine > {TOP}")
        assert f"{TOP} is not a folder, and belongs to user nobody" in nobody.refused(3, "check").cause
        assert nobody.root(f"cat {TOP}") == "mine\n"

        nobody.plants("`o-UID` is a pipe, on which nobody writes", f"mkfifo {TOP}")
        nobody.told_by_status(f"{TOP} is not private to this user: it is not a folder, and belongs to user nobody")
        assert nobody.root(f"stat -c %F {TOP}") == "fifo\n"


def test_a_folder_that_others_may_write_in(case: Case) -> None:
    """`o-UID` may be written by the group"""
    with other_user(case) as nobody:
        nobody.plants("`o-UID` is ours, and others may write in it", "true")
        nobody.root(f"umask 0; mkdir -m 775 {TOP}; mkdir -m 777 {nobody.folder}; touch {nobody.folder}/mine")
        report = nobody.refused(3, "check")
        assert report.cause == f"{TOP} is writable by other users"
        assert f"chmod go-w -- {TOP}" in report.cure
        assert nobody.root(f"stat -c %a {TOP} {nobody.folder}") == "775\n777\n", "the operator looks first"
        nobody.refused(7, "down")
        assert nobody.root(f"ls {nobody.folder}") == "mine\n"


def test_a_folder_that_is_swapped_all_the_time(case: Case) -> None:
    """`o-UID` is swapped between a folder and a link"""
    with other_user(case) as nobody:
        nobody.plants("`o-UID` is now their folder, now their link", "true")
        name = nobody.folder.rpartition("/")[2]
        nobody.does(_SWAP.format(top=TOP, victim=VICTIM, name=name))
        nobody.process("python3 /var/tmp/swap.py", theirs=True)
        nobody.refused(7, "down")
        report = nobody.told_by_logs(5, "--unit", "ray")
        nobody.add_row(report, "exit 5 of `logs`")
        _ended(nobody)
        nobody.root(f"rm -rf {TOP}.mine swap.py")


def test_something_in_the_place_of_a_folder_below(case: Case) -> None:
    """a local user has the place of a folder in `o-UID`, from when all could write in it"""
    with other_user(case) as nobody:
        folder, kept = nobody.folder, "is not private to this user: it"
        nobody.plants_inside(
            "the cluster's folder is their link", f"cd ..; mv {folder} old; ln -s {VICTIM} {folder}"
        )
        report = nobody.told_by_status(f"{folder} {kept} is a symbolic link of user nobody")
        assert f"rm -- {folder}" in report.cure

        (victim,) = nobody.pids
        script = f"cd ..; mv {folder} old; mkdir -p {folder}/ray; cd {folder}; {nobody.record_of(victim)}"
        nobody.plants_inside("the cluster's folder is theirs, with a record", script)
        assert f"{folder} {kept} belongs to user nobody" in nobody.refused(7, "down").cause
        assert nobody.root(f"ls {folder}/ray") == "record.json\n"

        nobody.plants_inside("`ray` in it is their link", f"rmdir ray; ln -s {VICTIM} ray")
        report = nobody.add_row(nobody.told_by_logs(5, "--unit", "ray"), "exit 5 of `logs`")
        assert f"{folder}/ray {kept} is a symbolic link of user nobody" in report.cause

        nobody.plants_inside(
            "`vllm` in it is their folder", f"rmdir vllm; mkdir vllm; ln -s {VICTIM}/log vllm/log"
        )
        report = nobody.add_row(nobody.told_by_diagnose(5, "vllm/log"), "exit 5 of `diagnose`")
        assert f"{folder}/vllm {kept} belongs to user nobody" in report.cause

        nobody.plants_inside("`cache`, from which engines run code, is theirs", "mkdir cache; touch cache/code.so")
        assert f"{folder}/cache belongs to another user, user nobody" in nobody.refused(3, "up").cause
        assert nobody.root(f"ls {folder}/cache") == "code.so\n"


def _ended(nobody: OtherUser) -> None:
    """Ends the processes that were started last, which were not signalled until now."""
    nobody.assert_untouched()
    pid = list(nobody.pids)[-1]
    nobody.case.hosts.kill(nobody.host, pid)
    del nobody.pids[pid]
