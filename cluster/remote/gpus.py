"""GPUs and what is on them, as nvidia-smi says."""

import csv
import os
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.processes import process

GPU_FIELDS = "index,uuid,name,memory.total,memory.used,driver_version"
PROCESS_FIELDS = "gpu_uuid,pid,used_memory,process_name"


def gpus(ours: set[int]) -> dict[str, Any]:
    """GPUs, the driver's version, and the problem where nvidia-smi does not answer as it should."""
    try:
        asked = [_ask(f"--query-gpu={GPU_FIELDS}"), _ask(f"--query-compute-apps={PROCESS_FIELDS}")]
        rows, running = [_answer(one) for one in asked]
        on = _processes(running, ours)
        found = [_gpu(row, on) for row in rows]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"gpus": [], "driver": "", "gpu_problem": f"nvidia-smi: {error}"}
    return {"gpus": found, "driver": rows[0][5] if rows else "", "gpu_problem": ""}


def _ask(query: str) -> "subprocess.Popen[str]":
    argv = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _answer(asked: "subprocess.Popen[str]") -> list[list[str]]:
    try:
        said, warned = asked.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        asked.kill()
        raise
    if asked.returncode != 0:
        raise ValueError((said + warned).strip()[-300:] or f"exit status {asked.returncode}")
    return list(csv.reader(said.splitlines(), skipinitialspace=True))


def _processes(rows: list[list[str]], ours: set[int]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for uuid, pid, used, *name in rows:
        one = {
            "pid": int(pid),
            "name": ",".join(name),
            "used_mib": _mib(used),
            "ours": int(pid) in ours or dying(int(pid)),
        }
        found.setdefault(uuid, []).append(one)
    return found


def dying(pid: int) -> bool:
    """A process of this user that was killed and is still in the driver: it holds memory and is in no tree."""
    one = process(pid)
    try:
        return one is not None and one.state in "ZX" and os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def _gpu(row: list[str], on: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    index, uuid, name, total, used = row[:5]
    sizes = {"memory_mib": _mib(total), "used_mib": _mib(used)}
    return {"index": int(index), "uuid": uuid, "name": name, **sizes, "processes": on.get(uuid, [])}


def _mib(text: str) -> "int | None":
    """Some drivers and containers say [N/A] or [Insufficient Permissions] where a figure should stand."""
    return int(text) if text.isdigit() else None
