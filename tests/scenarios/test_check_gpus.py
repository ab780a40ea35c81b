"""What `check` says of broken GPUs: exactly that, on exactly that host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


@pytest.fixture
def untouched(untouched: Hosts) -> Hosts:
    """Nothing here is about the model: seconds less for each look."""
    return untouched.without_trial()


_GPUS = "/etc/sandbox/gpus.json"
_NEWER = ["gpu_recovery_action", "ecc.errors.uncorrected.aggregate.sram.thresholdExceeded"]
_LOG = "/var/log/kern.log"


def check(
    operator: Operator, hosts: Hosts, inventory: Path | None = None
) -> dict[tuple[str, str], tuple[str, str]]:
    """Severity and what was found, by name and host."""
    done = operator.run("check", inventory or hosts.inventory, "--output", "json")
    findings = json.loads(done.stdout)["findings"]
    assert all(one["why"] and one["cure"] for one in findings)
    found = {(one["name"], one["host"]): (one["severity"], one["found"]) for one in findings}
    assert len(found) == len(findings), findings
    assert done.returncode == (3 if any(severity == "blocking" for severity, _ in found.values()) else 0)
    return found


@contextmanager
def machine(hosts: Hosts, **changes: Any) -> Iterator[None]:
    """node1 with another driver or other GPUs; `gpu` goes over its last GPU alone, `gpus` over all."""
    before = hosts.run("node1", "cat", _GPUS)
    state = json.loads(before)
    last, every = changes.pop("gpu", {}), changes.pop("gpus", {})
    state["gpus"] = [{**one, **every} for one in state["gpus"]]
    state["gpus"][-1] |= last
    hosts.write("node1", _GPUS, json.dumps({**state, **changes}))
    try:
        yield
    finally:
        hosts.write("node1", _GPUS, before)


@contextmanager
def kernel_log(hosts: Hosts, *lines: str) -> Iterator[None]:
    hosts.write("node1", _LOG, "".join(f"Nov 24 12:00:00 node1 kernel: [  9.1] NVRM: {line}\n" for line in lines))
    try:
        yield
    finally:
        hosts.run("node1", "rm", "-f", _LOG)


@contextmanager
def holder(hosts: Hosts) -> Iterator[None]:
    """Somebody else's process on the last GPU of node1."""
    hosts.run("node1", "sh", "-c", "exec setsid -f hold-gpu 1 >/dev/null 2>&1 </dev/null")
    wait_for("the holder", lambda: hosts.gpus_in_use("node1"))
    try:
        yield
    finally:
        hosts.kill("node1", *hosts.pids("node1", "sleep infinity"))
        wait_for("node1 to be idle", lambda: not hosts.gpus_in_use("node1"))


def test_healthy_hosts_have_nothing_to_say(untouched: Hosts, operator: Operator) -> None:
    assert check(operator, untouched) == {}


@pytest.mark.parametrize(
    ("changes", "name", "severity", "words"),
    [
        ({"gpu": {"mig_mode": "Enabled"}}, "gpu-mig", "blocking", "GPU 1: MIG mode is on"),
        ({"gpu": {"ecc_uncorrected": 2}}, "gpu-ecc", "warning", "GPU 1: uncorrected ECC errors"),
        ({"gpu": {"rows_pending": "Yes"}}, "gpu-ecc", "warning", "wait to be remapped"),
        ({"gpus": {"rows_failed": "Yes"}}, "gpu-ecc", "blocking", "GPU 0, 1: row remapping has failed"),
        ({"gpu": {"pages_pending": "Yes"}}, "gpu-ecc", "blocking", "wait to be retired"),
        ({"gpus": {"persistence_mode": "Disabled"}}, "gpu-persistence", "warning", "GPU 0, 1: persistence"),
        (
            {"gpus": {"fabric_state": "In Progress", "fabric_status": "N/A"}},
            "gpu-fabric-manager",
            "blocking",
            "GPU 0, 1: fabric In Progress",
        ),
        ({"gpu": {"recovery": "Node Reboot"}}, "gpu-xid", "blocking", "GPU 1: the driver asks for: Node Reboot"),
        ({"refused": _NEWER}, "gpu-xid", "unchecked", "no permission to read the kernel log"),
        (
            {"gpu": {"used_mib": 9000}},
            "gpu-idle",
            "blocking",
            "GPU 1: 9000 MiB are in use, but nvidia-smi shows no process",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_gpu_in_trouble(
    untouched: Hosts, operator: Operator, changes: dict[str, Any], name: str, severity: str, words: str
) -> None:
    with machine(untouched, **changes):
        found = check(operator, untouched)
    assert found.keys() == {(name, "node1")}
    assert found[name, "node1"][0] == severity
    assert words in found[name, "node1"][1]


@pytest.mark.parametrize(
    ("changes", "name", "severity"),
    [
        ({"gpus": {"name": "NVIDIA H200", "memory_mib": 143771}}, "gpu-model", "warning"),
        ({"gpus": {"name": "NVIDIA A100-SXM4-80GB", "compute_cap": "8.0"}}, "gpu-model", "blocking"),
        ({"gpu": {"memory_mib": 97871}}, "gpu-model", "warning"),
        ({"driver_version": "570.195.03"}, "gpu-driver", "blocking"),
    ],
    ids=["model", "architecture", "memory", "driver"],
)
def test_hosts_that_differ(
    untouched: Hosts, operator: Operator, changes: dict[str, Any], name: str, severity: str
) -> None:
    with machine(untouched, **changes):
        found = check(operator, untouched)
    assert {where: grade for where, (grade, _) in found.items()} == {(name, ""): severity}


def test_less_memory_than_declared(untouched: Hosts, operator: Operator, tmp_path: Path) -> None:
    def declare(inventory: dict[str, Any]) -> None:
        (one,) = (host for host in inventory["hosts"] if host["name"] == "node1")
        one["min_gpu_memory_mib"] = 100_000

    found = check(operator, untouched, untouched.edited(tmp_path / "inventory.yaml", declare))
    assert found == {("gpu-memory", "node1"): ("blocking", "GPU 0, 1: 81559 MiB")}


def test_a_gpu_that_is_gone(untouched: Hosts, operator: Operator) -> None:
    (first, _) = json.loads(untouched.run("node1", "cat", _GPUS))["gpus"]
    with machine(untouched):
        state = json.loads(untouched.run("node1", "cat", _GPUS))
        untouched.write("node1", _GPUS, json.dumps({**state, "gpus": [first]}))
        found = check(operator, untouched)
    assert found == {("gpu-number", "node1"): ("blocking", "1 GPUs (index 0)")}


@pytest.mark.parametrize(
    ("line", "driver", "severity"),
    [
        ("Xid (PCI:0000:11:00): 79, GPU has fallen off the bus.", {}, "blocking"),
        ("Xid (PCI:0000:11:00): 119, Timeout after 45s of waiting for RPC response from GPU1 GSP!", {}, "warning"),
        ("Xid (PCI:0000:11:00): 119, Timeout after 45s", {"refused": _NEWER}, "blocking"),
        ("Xid (PCI:0000:11:00): 94, pid=1234, name=python3, Contained: SM (0x1).", {}, "warning"),
        ("Xid (PCI:0000:11:00): 45, pid=12542, name=VLLM::Worker, channel 0x00000002", {"refused": _NEWER}, ""),
    ],
    ids=["off the bus", "recovered", "an older driver", "contained", "a killed process"],
)
def test_what_the_kernel_has_logged(
    untouched: Hosts, operator: Operator, line: str, driver: dict[str, Any], severity: str
) -> None:
    with machine(untouched, **driver), kernel_log(untouched, line):
        found = check(operator, untouched)
    assert [(where, grade) for where, (grade, _) in found.items()] == (
        [(("gpu-xid", "node1"), severity)] if severity else []
    )


def test_a_fabric_manager_of_another_version(untouched: Hosts, operator: Operator) -> None:
    program = "/usr/local/bin/nv-fabricmanager"
    untouched.write("node1", program, "#!/bin/sh\necho 'Fabric Manager version is : 570.195.03'\n")
    untouched.run("node1", "sh", "-c", f"chmod 755 {program}; : > /dev/nvidia-nvswitch0")
    try:
        found = check(operator, untouched)
    finally:
        untouched.run("node1", "rm", "-f", program, "/dev/nvidia-nvswitch0")
    words = "NVSwitches, fabric manager 570.195.03 with driver 580.95.05"
    assert found == {("gpu-fabric-manager", "node1"): ("warning", words)}


def test_somebody_elses_process(untouched: Hosts, operator: Operator) -> None:
    with holder(untouched):
        found = check(operator, untouched)
    assert found.keys() == {("gpu-idle", "node1")}
    said = found["gpu-idle", "node1"][1]
    assert "sleep (61000 MiB, of root for " in said


def test_somebody_elses_process_by_a_pid_that_means_nothing_here(untouched: Hosts, operator: Operator) -> None:
    with machine(untouched, pid_offset=1_000_000), holder(untouched):
        found = check(operator, untouched)
    assert found.keys() == {("gpu-idle", "node1")}
    assert "not visible in /proc" in found["gpu-idle", "node1"][1]
