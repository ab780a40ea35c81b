"""Health of GPUs, as an nvidia-smi of ours and a kernel log of ours say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.remote.facts import hardware as remote
from cluster.values.facts import GpuHealth, Hardware
from tests.cluster.recorded import RECORDED, recorded
from tests.cluster.remote.facts.test_remote_facts import look, on

UUID = "GPU-5f0c6f1e-2b0d-4a53-9c3e-7d1f0a6b8c21"
H200 = GpuHealth(
    uuid=UUID, bus="0000:00:06", capability="9.0", persistent=True, mig=False, uncorrected=0, pages_pending=None,
    rows_pending=False, rows_failed=False, sram_exceeded=False, fabric_state="", fabric_status="", recovery="None",
)  # fmt: skip

#: Answers as recorded of one H200; a question for which there is no file is one that the driver refuses.
SCRIPT = """#!/bin/sh
case "$1" in
--query-gpu=index,*) answer=gpus ;;
--query-gpu=uuid,pci*) answer=health ;;
--query-gpu=uuid,fabric*) answer=fabric ;;
--query-gpu=uuid,gpu_recovery*) answer=newer ;;
*) exit 0 ;;
esac
cat "$0.$answer" 2>/dev/null || { cat "$0.refusal"; exit 2; }
"""


def asked(folder: Path, **answers: str) -> Hardware:
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SCRIPT)
    program.chmod(0o755)
    for name, text in {"refusal": recorded("nvidia/unknown-field.txt"), **answers}.items():
        Path(f"{program}.{name}").write_text(text)
    found = look(on(folder), {"PATH": f"{program.parent}:{os.environ['PATH']}"})
    assert (found.gpu_problem, len(found.gpus)) == ("", len(answers["gpus"].splitlines()))
    return found.hardware


def answers(*names: str, card: str = "h200") -> dict[str, str]:
    return {name: recorded(f"nvidia/{card}-{name}.csv") for name in names}


def test_all_that_a_driver_says(tmp_path: Path) -> None:
    found = asked(tmp_path, **answers("gpus", "health", "fabric", "newer"))
    assert found.health == (H200,)
    assert (found.nvswitch, found.fabric_manager, found.fabric_manager_version) == (False, False, "")


def test_two_gpus_whose_fabric_is_ready(tmp_path: Path) -> None:
    one, other = asked(tmp_path, **answers("gpus", "health", "fabric", "newer", card="h100")).health
    assert one == H200.model_copy(
        update={"bus": "0000:18:00", "fabric_state": "Completed", "fabric_status": "Success"}
    )
    assert other == one.model_copy(update={"uuid": UUID[:-1] + "2", "bus": "0000:2a:00"})


def test_all_that_an_older_driver_says(tmp_path: Path) -> None:
    found = asked(tmp_path, **answers("gpus", "health"))
    assert found.health == (H200.model_copy(update={"recovery": "", "sram_exceeded": None}),)


def test_a_driver_that_refuses_them_all(tmp_path: Path) -> None:
    assert asked(tmp_path, **answers("gpus")).health == ()


def test_a_gpu_in_trouble(tmp_path: Path) -> None:
    found = asked(
        tmp_path,
        **answers("gpus"),
        health=f"{UUID}, 00000001:C6:00.0, 9.0, Disabled, Enabled, 3, Yes, Yes, Yes\n",
        fabric=f"{UUID}, In Progress, N/A\n",
        newer=f"{UUID}, Node Reboot, Yes\n",
    )
    assert found.health == (
        GpuHealth(
            uuid=UUID, bus="0001:c6:00", capability="9.0", persistent=False, mig=True, uncorrected=3,
            pages_pending=True, rows_pending=True, rows_failed=True, sram_exceeded=True,
            fabric_state="In Progress", fabric_status="", recovery="Node Reboot",
        ),
    )  # fmt: skip


@pytest.fixture
def only_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that shows this user neither the kernel's ring buffer nor the journal."""
    monkeypatch.setattr(remote, "_ring_buffer", lambda: None)
    monkeypatch.setattr(remote, "_journal", lambda: None)


def xids(monkeypatch: pytest.MonkeyPatch, path: Path) -> list[tuple[str, int]] | None:
    monkeypatch.setattr(remote, "LOG_FILES", (str(path),))
    monkeypatch.setattr(remote, "_booted", lambda: 1000.0)
    found = remote.xids()
    return None if found is None else [(one["bus"], one["code"]) for one in found]


@pytest.mark.usefixtures("only_files")
def test_what_the_kernel_has_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert xids(monkeypatch, RECORDED / "nvidia/kernel.log") == [
        ("0000:01:00", 62), ("0000:01:00", 154), ("0000:01:00", 45), ("0000:10:1c", 63), ("0000:44:00", 79),
    ]  # fmt: skip


@pytest.mark.usefixtures("only_files")
def test_a_driver_that_talks_and_has_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    assert xids(monkeypatch, RECORDED / "nvidia/h100-kernel.log") == []
    assert len(remote.kernel_log() or ()) == 4


@pytest.mark.usefixtures("only_files")
def test_what_was_logged_before_the_boot_is_past(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_text(recorded("nvidia/kernel.log") + "Mar 28 09:00:00 node kernel: [    0.0] Linux version 6.8.0\n")
    assert xids(monkeypatch, log) == []


@pytest.mark.usefixtures("only_files")
def test_a_log_to_which_nobody_writes_any_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_text(recorded("nvidia/kernel.log"))
    os.utime(log, (500, 500))
    assert xids(monkeypatch, log) is None
    assert xids(monkeypatch, tmp_path / "missing") is None


def test_the_last_line_of_a_kind_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from "
    lines = [said + "0x0 (None) to 0x1 (GPU Reset Required)", said + "0x1 (GPU Reset Required) to 0x0 (None)"]
    monkeypatch.setattr(remote, "kernel_log", lambda: lines)
    (one,) = remote.xids() or []
    assert one["text"].endswith("to 0x0 (None)")


def test_this_kernel_can_be_asked() -> None:
    lines = remote.kernel_log()
    assert lines is None or all("NVRM: " in line for line in lines)
