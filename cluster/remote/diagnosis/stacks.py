"""The state of the units' processes: their use of the host, and their position in the code."""

import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.processes import Process, command_line

#: Seconds in which the use of a process is measured.
MOMENT = 0.5
#: The number of processes with a stack: a host of sixteen GPUs has a few more.
MOST_STACKS = 40


def under_way(pids: "set[int]", table: "dict[int, Process]", end: float) -> "list[dict[str, Any]]":
    """Returns all processes; those of Python with their stack, where py-spy exists and has permission."""
    before, began = {pid: used(pid) for pid in pids}, time.monotonic()
    entries = [entry for entry in (described(pid, table) for pid in sorted(pids)) if entry]
    stacks_by_pid = stacks([entry["pid"] for entry in entries if runs_python(entry["pid"])][:MOST_STACKS], end)
    time.sleep(max(0.0, MOMENT - (time.monotonic() - began)))
    moment = time.monotonic() - began
    for entry in entries:
        (ticks, read), (ticks_now, read_now) = before[entry["pid"]], used(entry["pid"])
        entry["cpu"] = round((ticks_now - ticks) / os.sysconf("SC_CLK_TCK") / moment, 2)
        entry["read_per_second"] = int((read_now - read) / moment)
        entry.update(stacks_by_pid.get(entry["pid"], {}))
    return entries


def described(pid: int, table: "dict[int, Process]") -> "dict[str, Any] | None":
    entry = table.get(pid)
    if entry is None:
        return None
    return {
        "pid": pid,
        "parent": entry.parent,
        "state": entry.state,
        "waits_in": first_line(f"/proc/{pid}/wchan"),
        "rss_mib": resident(pid) >> 20,
        "command": command_line(pid)[:300],
    }


def used(pid: int) -> "tuple[int, int]":
    """Returns the ticks of the processor, and the bytes read."""
    ticks = read = 0
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
        ticks = int(words[11]) + int(words[12])
        with open(f"/proc/{pid}/io") as file:
            read = int(dict(line.split(": ") for line in file.read().splitlines())["rchar"])
    except (OSError, ValueError, KeyError, IndexError):
        pass
    return ticks, read


def first_line(path: str) -> str:
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return ""


def resident(pid: int) -> int:
    words = first_line(f"/proc/{pid}/statm").split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") if len(words) > 1 else 0


def runs_python(pid: int) -> bool:
    try:
        return "python" in os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False


def py_spy() -> "str | None":
    """Returns the py-spy of the venv, which Ray installs, or any other."""
    beside = os.path.join(os.path.dirname(sys.executable), "py-spy")
    return beside if os.access(beside, os.X_OK) else shutil.which("py-spy")


def stacks(pids: "list[int]", end: float) -> "dict[int, dict[str, Any]]":
    """Returns by pid the stack of each thread, innermost first, or the reason why it is missing.

    No process is paused for it: a working rank must not be slowed, and a stuck rank cannot be paused.
    """
    program = py_spy()
    if program is None:
        return {pid: {"stack_problem": "py-spy is missing on this host"} for pid in pids}
    taken = {}
    children = {pid: ask_for_stack(program, pid) for pid in pids}
    for pid, child in children.items():
        try:
            output, problem = child.communicate(timeout=max(0.1, end - time.monotonic()))
            taken[pid] = (
                {"threads": threads(output)} if child.returncode == 0 else {"stack_problem": last(problem)}
            )
        except (subprocess.TimeoutExpired, ValueError) as problem:
            end_it(child)
            taken[pid] = {"stack_problem": str(problem)[:200]}
    return taken


def end_it(child: "subprocess.Popen[str]") -> None:
    """Ends the child. One that hangs in the kernel is left."""
    child.kill()
    try:
        child.communicate(timeout=0.5)
    except (subprocess.TimeoutExpired, ValueError):
        pass


def ask_for_stack(program: str, pid: int) -> "subprocess.Popen[str]":
    words = [program, "dump", "--nonblocking", "--json", "--pid", str(pid)]
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def last(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1][:200] if lines else "py-spy printed nothing"


def threads(output: str) -> "list[dict[str, Any]]":
    """Returns the threads; the main thread comes first."""
    entries = [
        {
            "thread": thread.get("thread_name") or str(thread.get("os_thread_id")),
            "main": thread.get("os_thread_id") == thread.get("pid"),
            "active": bool(thread.get("active")),
            "frames": [
                f"{frame['name']} ({frame.get('short_filename') or frame['filename']}:{frame['line']})"
                for frame in thread["frames"]
            ],
        }
        for thread in json.loads(output)
    ]
    return sorted(entries, key=lambda thread: not thread["main"])
