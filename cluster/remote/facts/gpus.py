"""GPUs and the processes on them, from nvidia-smi."""

import csv
import os
import pwd
import subprocess
import time
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from cluster.remote.common.processes import links, process

GPU_FIELDS = "index,uuid,name,memory.total,memory.used,driver_version"
PROCESS_FIELDS = "gpu_uuid,pid,used_memory,process_name"
#: Seconds for all queries of one time. Twice this is less than the time limit of all facts.
PATIENCE = 20
#: The id of the first pid namespace; the kernel gives every container another one.
FIRST_NAMESPACE = "pid:[4026531836]"


def gpus(ours: "Callable[[], set[int]]") -> dict[str, Any]:
    """Returns GPUs, the driver's version, and the problem where nvidia-smi fails.

    `ours` is called after nvidia-smi has answered: a process of the cluster may have started meanwhile.
    """
    end = time.monotonic() + PATIENCE
    queries: list[subprocess.Popen[str]] = []
    try:
        queries += map(_ask, (f"--query-gpu={GPU_FIELDS}", f"--query-compute-apps={PROCESS_FIELDS}"))
        rows, running = [_answer(query, end) for query in queries]
        by_gpu = _processes(running, ours())
        cards = [_gpu(row, by_gpu) for row in rows]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        for query in queries:
            query.kill()
        return {"gpus": [], "driver": "", "gpu_problem": f"nvidia-smi: {error}"}
    return {"gpus": cards, "driver": rows[0][5] if rows else "", "gpu_problem": ""}


def _ask(query: str) -> "subprocess.Popen[str]":
    argv = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _answer(query: "subprocess.Popen[str]", end: float) -> list[list[str]]:
    """Returns the answer until `end` on the monotonic clock. If a GPU is missing, nvidia-smi may hang for ever,
    and even survive its kill."""
    try:
        output, warnings = query.communicate(timeout=max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        query.kill()
        raise
    if query.returncode != 0:
        raise ValueError((output + warnings).strip()[-300:] or f"exit status {query.returncode}")
    return list(csv.reader(output.splitlines(), skipinitialspace=True))


def _processes(rows: list[list[str]], ours: set[int]) -> dict[str, list[dict[str, Any]]]:
    by_gpu: dict[str, list[dict[str, Any]]] = {}
    for uuid, pid, used, *name in rows:
        entry = {"pid": int(pid), "name": ",".join(name), "used_mib": _mib(used), **_whose(int(pid), ours)}
        by_gpu.setdefault(uuid, []).append(entry)
    return by_gpu


def _whose(pid: int, ours: set[int]) -> dict[str, Any]:
    """Returns whose process it is. In a container, a driver may report pids of the outer host, which have no or
    another meaning here.

    The number then does not show whether the process is ours. But a GPU belongs to one cluster. While a process of
    the cluster has a GPU open, all processes on it count as ours; otherwise they count as foreign.
    """
    if pid in ours or dying(pid):
        return {"ours": True, **_owner(pid)}
    if _meant(pid):
        return {"ours": False, **_owner(pid)}
    return {"ours": any(map(_has_gpu, ours)), "user": "", "age": None}


def _meant(pid: int) -> bool:
    """Returns whether the process with this pid here is the one that nvidia-smi means."""
    try:
        return os.readlink("/proc/self/ns/pid") == FIRST_NAMESPACE or _has_gpu(pid)
    except OSError:
        return True


def _has_gpu(pid: int) -> bool:
    files = (target for target, _ in links(f"/proc/{pid}/fd"))
    return any(file.startswith("/dev/nvidia") and file[len("/dev/nvidia") :].isdigit() for file in files)


def _owner(pid: int) -> dict[str, Any]:
    entry = process(pid)
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        with open("/proc/uptime") as file:
            up = float(file.read().split()[0])
    except OSError:
        return {"user": "", "age": None}
    age = up - entry.ticks / os.sysconf("SC_CLK_TCK") if entry else None
    return {"user": _named(uid), "age": age if age is None else max(0.0, age)}


def _named(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def dying(pid: int) -> bool:
    """Returns whether a process of this user was killed and is still in the driver: it holds memory and is in no
    tree."""
    entry = process(pid)
    try:
        return entry is not None and entry.state in "ZX" and os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def _gpu(row: list[str], by_gpu: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    index, uuid, name, total, used = row[:5]
    sizes = {"memory_mib": _mib(total), "used_mib": _mib(used)}
    return {"index": int(index), "uuid": uuid, "name": name, **sizes, "processes": by_gpu.get(uuid, [])}


def _mib(text: str) -> "int | None":
    """Returns MiB. Some drivers and containers print [N/A] or [Insufficient Permissions] instead of a number."""
    return int(text) if text.isdigit() else None
