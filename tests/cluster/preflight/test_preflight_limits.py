"""Limits of the shell that launches everything."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.limits import left_alone, locked_memory, open_files
from tests.cluster.builders import facts, inventory
from tests.cluster.preflight.findings import found


@pytest.mark.parametrize(
    ("nofile", "said"),
    [
        (-1, []),
        (65_535, []),
        (65_534, [("warning", "hard limit 65534")]),
        (20_000, [("warning", "hard limit 20000")]),
    ],
)
def test_open_files(nofile: int, said: list[tuple[str, str]]) -> None:
    assert found(open_files, {"nofile": nofile}) == said


@pytest.mark.parametrize(
    ("hosts", "seen", "said"),
    [
        (2, {"memlock": -1}, []),
        (2, {"memlock": 8 << 20}, [("warning", "hard limit 8192 KiB")]),
        (2, {"memlock": 8 << 20, "user": "root"}, []),
        (1, {"memlock": 8 << 20}, []),
    ],
)
def test_locked_memory(hosts: int, seen: dict[str, Any], said: list[tuple[str, str]]) -> None:
    assert found(locked_memory, seen, inventory(hosts)) == said


@pytest.mark.parametrize(("kills", "linger", "findings"), [(False, False, 0), (True, True, 0), (True, False, 1)])
def test_what_a_user_leaves_running(kills: bool, linger: bool, findings: int) -> None:
    one = inventory()
    seen = facts(one.head, kill_user_processes=kills, linger=linger)
    cures = [(finding.severity, finding.cure) for finding in left_alone(one, one.head, seen)]
    assert cures == [("blocking", "loginctl enable-linger ubuntu")] * findings
