"""GPUs, as an nvidia-smi of ours says."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from cluster.values import Facts, GpuProcess
from tests.cluster.recorded import recorded
from tests.cluster.remote.cell import FOREVER, Cell
from tests.cluster.remote.facts.test_remote_facts import look, on

H100 = "".join(f"{index}, GPU-{index}, NVIDIA H100 80GB HBM3, 81559, 1, 580.95.05\n" for index in range(8))
ONE = "0, GPU-0, NVIDIA H100 80GB HBM3, 81559, 61000, 580.95.05\n"

SCRIPT = """#!/bin/sh
case "$1" in
--query-gpu=index,uuid,name,memory.total,memory.used,driver_version) cat "$0.gpus"; cat "$0.warns" >&2 ;;
--query-compute-apps=gpu_uuid,pid,used_memory,process_name) cat "$0.apps" ;;
*) echo "unknown: $*"; exit 9 ;;
esac
test "$2" = --format=csv,noheader,nounits || exit 8
exit "$(cat "$0.status")"
"""


def asked(folder: Path, gpus: str, apps: str = "", *, status: int = 0, warns: str = "") -> Facts:
    """What is known where nvidia-smi answers so."""
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir(exist_ok=True)
    program.write_text(SCRIPT)
    program.chmod(0o755)
    for name, text in {"gpus": gpus, "apps": apps, "status": str(status), "warns": warns}.items():
        Path(f"{program}.{name}").write_text(text)
    return look(on(folder), {"PATH": f"{program.parent}:{os.environ['PATH']}"})


def test_eight_gpus(tmp_path: Path) -> None:
    found = asked(tmp_path, H100)
    assert found.gpu_problem == ""
    assert found.driver == "580.95.05"
    assert [(gpu.index, gpu.uuid, gpu.memory_mib, gpu.used_mib) for gpu in found.gpus] == [
        (index, f"GPU-{index}", 81559, 1) for index in range(8)
    ]
    assert found.gpus[0].name == "NVIDIA H100 80GB HBM3"


def test_real_gpus(tmp_path: Path) -> None:
    found = asked(tmp_path, recorded("nvidia/h100-gpus.csv"))
    assert (found.gpu_problem, found.driver) == ("", "580.159.04")
    assert [(gpu.index, gpu.uuid[-2:], gpu.name, gpu.memory_mib, gpu.used_mib) for gpu in found.gpus] == [
        (0, "21", "NVIDIA H100 80GB HBM3", 81559, 0),
        (1, "22", "NVIDIA H100 80GB HBM3", 81559, 0),
    ]


def test_processes_of_ours_and_of_others(tmp_path: Path, cell: Cell) -> None:
    cell.state = asked(tmp_path, ONE).state
    cell.launch(FOREVER)
    ours = max(cell.pids())
    (gpu,) = asked(tmp_path, ONE, f"GPU-0, {ours}, 60000, VLLM::Worker\nGPU-0, {os.getpid()}, 900, a,b\n").gpus
    mine, theirs = gpu.processes
    assert mine == GpuProcess(
        pid=ours, name="VLLM::Worker", used_mib=60000, ours=True, user=getpass.getuser(), age=mine.age
    )
    assert mine.age is not None
    assert 0 <= mine.age < 60
    assert (theirs.pid, theirs.name, theirs.used_mib, theirs.ours) == (os.getpid(), "a,b", 900, False)


def test_a_pid_that_means_nothing_here(tmp_path: Path) -> None:
    (gpu,) = asked(tmp_path, ONE, "GPU-0, 99999999, 900, [Not Found]\n").gpus
    assert gpu.processes == (GpuProcess(pid=99999999, name="[Not Found]", used_mib=900, ours=False),)


def test_figures_that_are_not_given(tmp_path: Path) -> None:
    found = asked(tmp_path, "0, GPU-0, NVIDIA GB10, [N/A], [N/A], 580.95.05\n", "GPU-0, 1, [N/A], x\n")
    assert [(gpu.memory_mib, gpu.used_mib) for gpu in found.gpus] == [(None, None)]
    assert [one.used_mib for one in found.gpus[0].processes] == [None]


def test_a_warning_beside_the_answer_does_no_harm(tmp_path: Path) -> None:
    found = asked(tmp_path, H100, warns="WARNING: infoROM is corrupted at gpu 0000:65:00.0\n")
    assert (len(found.gpus), found.gpu_problem) == (8, "")


@pytest.mark.parametrize(
    ("gpus", "status", "problem"),
    [
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
            9,
            "couldn't communicate",
        ),
        ("No devices were found\n", 6, "No devices were found"),
        (ONE + "Unable to determine the device handle for GPU1: 0000:04:00.0: Unknown Error\n", 15, "Unable to"),
        ("", 3, "exit status 3"),
        ("half a line\n", 0, "nvidia-smi: "),
    ],
)
def test_an_nvidia_smi_that_fails(tmp_path: Path, gpus: str, status: int, problem: str) -> None:
    found = asked(tmp_path, gpus, status=status)
    assert (found.gpus, found.driver) == ((), "")
    assert problem in found.gpu_problem


def test_no_nvidia_smi(tmp_path: Path) -> None:
    found = look(on(tmp_path), {"PATH": "/usr/bin:/bin"})
    assert found.gpus == ()
    assert found.gpu_problem.startswith("nvidia-smi: ")
