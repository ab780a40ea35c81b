"""Limits of the shell that launches everything."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.machine import left_alone, locked_memory, open_files, processes
from tests.cluster.builders import facts, inventory, machine
from tests.cluster.preflight.findings import found_on_head


@pytest.mark.parametrize(
    ("nofile", "expected"),
    [
        (-1, []),
        (20_000, []),
        (8192, []),
        (4096, [("warning", "hard limit 4096")]),
        (1024, [("warning", "hard limit 1024")]),
    ],
)
def test_open_files(nofile: int, expected: list[tuple[str, str]]) -> None:
    assert found_on_head(open_files, {"nofile": nofile}) == expected


@pytest.mark.parametrize(
    ("hosts", "seen", "expected"),
    [
        (2, {"memlock": -1}, []),
        (2, {"memlock": 8 << 20}, [("warning", "hard limit 8192 KiB")]),
        (2, {"memlock": 8 << 20, "machine": machine(memlock_binds=False)}, []),
        (1, {"memlock": 8 << 20}, []),
    ],
)
def test_locked_memory(hosts: int, seen: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found_on_head(locked_memory, seen, inventory(hosts)) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, []),
        ({"tasks": 16384, "group_tasks": 16384}, []),
        ({"tasks": -1, "tasks_hard": -1}, []),
        (
            {"tasks": 4096},
            [("warning", "4096 processes and threads (`ulimit -u`, hard limit 8000000)")],
        ),
        (
            {"tasks": 512, "tasks_hard": -1},
            [("warning", "512 processes and threads (`ulimit -u`, hard limit unlimited)")],
        ),
        (
            {"group_tasks": 1000},
            [("warning", "1000 processes and threads (pids.max of the control group)")],
        ),
    ],
)
def test_processes(limits: dict[str, int], expected: list[tuple[str, str]]) -> None:
    assert found_on_head(processes, {"machine": machine(**limits)}) == expected


def test_what_a_user_leaves_running() -> None:
    one = inventory()
    assert list(left_alone(one, one.head, facts(one.head))) == []
    seen = facts(one.head, machine=machine(ended_at_logout=True))
    (finding,) = left_alone(one, one.head, seen)
    assert finding.severity == "blocking"
    assert "KillUserProcesses=no" in finding.cure
