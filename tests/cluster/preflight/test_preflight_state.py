"""The state directory: ours, writable, with room, on a disk of the host."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.machine import directory
from tests.cluster.builders import machine
from tests.cluster.preflight.findings import found_on_head


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, []),
        ({"free_mib": 1024}, []),
        ({"free_mib": 1023}, [("blocking", "1023 MiB free")]),
        ({"state_problem": "/var/tmp is not writable"}, [("blocking", "/var/tmp is not writable")]),
        (
            {"state_problem": "x belongs to another user", "free_mib": 0},
            [("blocking", "x belongs to another user")],
        ),
        ({"machine": machine(state_noexec=True)}, [("blocking", "mounted noexec")]),
        ({"machine": machine(state_system="nfs4")}, [("warning", "on nfs4")]),
        ({"machine": machine(state_system="tmpfs")}, []),
        ({"machine": machine(state_used=0.95)}, []),
        ({"machine": machine(state_used=0.97)}, [("warning", "the disk is 97% full")]),
    ],
)
def test_the_state_directory(seen: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found_on_head(directory, seen) == expected
