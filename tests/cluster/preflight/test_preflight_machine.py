"""Memory of the machine, and who else works on it."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.launch import ray
from cluster.preflight import machine as checks
from cluster.preflight.machine import leftovers, memory, shared_memory
from cluster.values import Presence, UnitState
from cluster.values.facts import Stranger
from tests.cluster.builders import facts, inventory, machine
from tests.cluster.preflight.findings import found_on_head

RUNS = UnitState(presence=Presence.ALIVE)
#: On the head: the queues of 8 ranks and Ray's object store; with NCCL's share 1024 more.
NEEDED = 184 + 8 * 240 + 256


def shm(size: int, free: int | None = None) -> dict[str, Any]:
    return {"machine": machine(shm_mib=size, shm_free_mib=size if free is None else free)}


def test_the_object_store_is_the_one_that_we_ask_for() -> None:
    one = inventory()
    assert f"--object-store-memory={checks._OBJECT_STORE << 20}" in ray.unit(one, one.head, facts(one.head)).argv


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (shm(NEEDED + 1024), []),
        (shm(NEEDED + 1023), [("warning", f"/dev/shm has {NEEDED + 1023} MiB")]),
        (shm(NEEDED - 1), [("blocking", f"/dev/shm has {NEEDED - 1} MiB")]),
        (shm(64), [("blocking", "/dev/shm has 64 MiB")]),
        (shm(900_000, 100), [("blocking", "/dev/shm has 900000 MiB, 100 MiB free")]),
        (shm(900_000, 100) | {"vllm": RUNS}, []),
        (shm(64, 10) | {"ray": RUNS}, [("blocking", "/dev/shm has 64 MiB, 10 MiB free")]),
        (
            {"machine": machine(shm_mib=None, shm_free_mib=None)},
            [("unchecked", "/dev/shm cannot be read")],
        ),
    ],
)
def test_shared_memory(seen: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found_on_head(shared_memory, seen) == expected


@pytest.mark.parametrize(("free", "severity"), [(1280, None), (1279, "warning"), (255, "blocking")])
def test_a_worker_has_no_queues(free: int, severity: str | None) -> None:
    one = inventory()
    (spec,) = one.workers
    severities = [finding.severity for finding in shared_memory(one, spec, facts(spec, **shm(free)))]
    assert severities == ([severity] if severity else [])


def test_a_single_host_has_no_object_store() -> None:
    assert found_on_head(shared_memory, shm(184 + 8 * 240 + 1024), inventory(1)) == []


@pytest.mark.parametrize(
    ("free", "arguments", "runs", "expected"),
    [
        (8 * 1024 + 256, (), False, []),
        (8 * 1024 + 255, (), False, [("warning", "8447 MiB are available")]),
        (8 * 1024 + 255, (), True, []),
        (None, (), False, [("unchecked", "/proc/meminfo does not show the free memory")]),
        (400_000, ("--cpu-offload-gb", "50"), False, [("warning", "400000 MiB are available")]),
        (400_000, ("--cpu-offload-gb=50",), False, [("warning", "400000 MiB are available")]),
        (420_000, ("--cpu-offload-gb=50",), False, []),
        (20_000, ("--cpu-offload-gb=much",), False, []),
    ],
)
def test_memory(free: int | None, arguments: tuple[str, ...], runs: bool, expected: list[tuple[str, str]]) -> None:
    seen: dict[str, Any] = {"machine": machine(memory_free_mib=free)}
    seen |= {"ray": RUNS} if runs else {}
    assert found_on_head(memory, seen, inventory(serve={"arguments": arguments})) == expected


def stranger(pid: int, kind: str = "ray::", user: str = "alice", cluster: str = "", age: float = 5.0) -> Stranger:
    return Stranger(pid=pid, kind=kind, user=user, age=age, cluster=cluster)


def test_nobody_else() -> None:
    assert found_on_head(leftovers, {}) == []


def test_others_are_named_with_owner_and_age() -> None:
    others = (
        stranger(1, "gcs_server", age=3 * 86400.0),
        stranger(2, "raylet", age=7200.0),
        stranger(3, "vllm serve", user="bob", age=150.0),
        *(stranger(pid) for pid in range(4, 8)),
    )
    assert found_on_head(leftovers, {"machine": machine(strangers=others)}) == [
        (
            "warning",
            "user alice runs gcs_server (pid 1, 3 days old), raylet (pid 2, 2 hours old), ray:: (pid 4, 5 s old), "
            "ray:: (pid 5, 5 s old) and 2 more",
        ),
        ("warning", "user bob runs vllm serve (pid 3, 2 minutes old)"),
    ]


def test_another_cluster_of_ours_is_named_with_what_takes_it_down() -> None:
    one = inventory()
    seen = facts(one.head, machine=machine(strangers=(stranger(9, "raylet", "ubuntu", "staging"),)))
    (finding,) = leftovers(one, one.head, seen)
    assert finding.found.startswith("cluster staging runs raylet")
    assert finding.cure == "if it is no longer needed, run `down` with the inventory of cluster staging"
