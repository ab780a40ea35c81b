"""Launches a unit and stays with it: it is the parent of all its processes until the last one exits.

Data:
- state and folder: of the cluster and of the unit
- unit: its name
- venv, argv
- env: with secrets; it is written to no file
- ports: those that it will bind
- record: it is stored beside the log, with the keeper's own identity
- log_bytes, optional: the largest length of the log
- modules, optional: texts by name that the unit's Python can import
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from cluster.remote.common.files import cut, rotate, write_private
    from cluster.remote.common.owned_folder import OpenFolder, made, split
    from cluster.remote.common.port_reservations import for_unit, remove_claims
    from cluster.remote.common.processes import boot_id, payload, process, processes
    from cluster.remote.common.unit_processes import unit_pids

PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
LOG_BYTES = 256 << 20
LOG_LOOK = 2.0


def watch_log(unit: "OpenFolder", most: int) -> None:
    """Cuts the log when it is too long, for as long as the keeper runs."""
    while True:
        time.sleep(LOG_LOOK)
        try:
            long = unit.status("log").st_size > most
        except OSError:
            continue  # another program has removed it: there is nothing to cut
        if long:
            cut(unit, "log")


def hold_off_ageing(ours: "OpenFolder") -> None:
    """Locks the folder. Cleaners of /var/tmp would remove the record and the token of a unit that serves for a
    month.

    They skip a tree while its top is locked (tmpfiles.d(5)). A failed lock changes nothing else.
    """
    try:
        fcntl.flock(ours.file, fcntl.LOCK_SH)
    except OSError:
        pass


def raise_limits() -> None:
    """Raises limits as far as possible: a hard limit may be above the kernel's present maximum (fs.nr_open)."""
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_MEMLOCK):
        try:
            resource.setrlimit(limit, (resource.getrlimit(limit)[1],) * 2)
        except (ValueError, OSError):
            continue


def environment(data: dict[str, Any], modules: "OpenFolder | None") -> dict[str, str]:
    """Returns the session's environment with our values over it; the venv's programs and our modules come
    first."""
    path = f"{data['venv']}/bin:{os.environ.get('PATH') or os.defpath}"
    variables = {**os.environ, "PATH": path, **data["env"]}
    if modules:
        # An empty part would mean the current folder.
        parts = (modules.path, variables.get("PYTHONPATH"))
        variables["PYTHONPATH"] = ":".join(part for part in parts if part)
    return variables


def write_modules(data: dict[str, Any], unit: "OpenFolder") -> "OpenFolder | None":
    """Returns the folder with our own modules; None where the unit needs none."""
    if not data.get("modules"):
        return None
    folder = unit.make("modules")
    for name, text in data["modules"].items():
        write_private(folder, f"{name}.py", text)
    return folder


def keep(data: dict[str, Any], unit: "OpenFolder", ours: "OpenFolder", report: int) -> None:
    """Becomes the keeper. It writes to `report` once the leader runs, or why it does not."""
    os.setsid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_NAME, f"keeper {data['unit']}".encode(), 0, 0, 0)
    raise_limits()
    claims = for_unit(data["ports"], ours)
    record = start_record(data, unit)
    try:
        leader = launch(data, unit)
    except (Exception, SystemExit) as error:
        finish(unit, record, 127)
        raise OSError(0, reason(error), data["argv"][0]) from None
    signals: list[int] = []

    def end(number: int, _: Any) -> None:
        signals.append(number)
        pass_on(unit, leader)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.write(report, b"started")
    os.close(report)
    aside(hold_off_ageing, ours)
    aside(watch_log, unit, data.get("log_bytes", LOG_BYTES))
    stay(unit, record, leader, signals)
    for claim in claims:
        claim.close()
    remove_claims(ours)


def aside(task: Callable[..., None], *words: Any) -> None:
    """Runs a task in a thread that nothing waits for: a lock on a network disk may take long."""
    threading.Thread(target=task, args=words, daemon=True).start()


def start_record(data: dict[str, Any], unit: "OpenFolder") -> dict[str, Any]:
    """Writes the record before the leader runs: so no process is ever without a record."""
    me = process(os.getpid())
    assert me is not None
    identity = {"keeper": me.pid, "ticks": me.ticks, "boot": boot_id()}
    record = {**data["record"], **identity, "launched": time.time(), "status": None}
    write_private(unit, "record.json", json.dumps(record))
    return record


def launch(data: dict[str, Any], unit: "OpenFolder") -> "subprocess.Popen[bytes]":
    """Starts the leader.

    The log stays open here as well: if the record is missing, it leads to the keeper and all its descendants.
    """
    log = unit.create("log", os.O_WRONLY | os.O_APPEND)
    modules = write_modules(data, unit)
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    return subprocess.Popen(
        data["argv"],
        env=environment(data, modules),
        stdin=0,
        stdout=log,
        stderr=log,
        cwd=f"/proc/self/fd/{unit.file}",
    )


def pass_on(unit: "OpenFolder", leader: "subprocess.Popen[bytes]") -> None:
    """Passes SIGTERM to the leader; once that has exited, to the remaining processes."""
    child = processes().get(leader.pid)
    lives = child is not None and child.parent == os.getpid()
    targets = {leader.pid} if lives else unit_pids(unit, processes()) - {os.getpid()}
    for pid in targets:
        try:
            os.kill(pid, signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            pass


def stay(
    unit: "OpenFolder", record: dict[str, Any], leader: "subprocess.Popen[bytes]", signals: list[int]
) -> None:
    """Waits until the last descendant has exited: orphans become our children, so no child means no descendant.

    A leader that received `signals` to end may leave processes that did not receive them.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return
        if pid == leader.pid:
            finish(unit, record, os.waitstatus_to_exitcode(status))
            if signals:
                pass_on(unit, leader)


def finish(unit: "OpenFolder", record: dict[str, Any], status: int) -> None:
    try:
        write_private(unit, "record.json", json.dumps({**record, "status": status}))
    except OSError:
        pass  # a full disk, or a folder already removed: readers see that no process is left


def reason(problem: BaseException) -> str:
    text = problem.strerror if isinstance(problem, OSError) else None
    if isinstance(problem, SystemExit):
        text = str(problem)
    return text or f"{type(problem).__name__}: {problem}"


def main() -> None:
    data = payload()
    unit = made(*split(data["folder"], 3))
    assert unit.parent
    ours = unit.parent.parent
    assert ours
    turn = os.open(".", os.O_RDONLY, dir_fd=unit.file)
    fcntl.flock(turn, fcntl.LOCK_EX)
    if unit_pids(unit, processes()):
        raise SystemExit("this unit already runs")
    rotate(unit, "log")
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        os.close(turn)  # it stays with the parent, until the leader runs
        try:
            keep(data, unit, ours, writing)
        except Exception as problem:
            message = f"{getattr(problem, 'filename', None) or 'keeper'}: {reason(problem)}"
            os.write(writing, message.encode(errors="replace"))
        finally:
            os._exit(0)
    os.close(writing)
    message = os.read(reading, 4096).decode()
    if message != "started":
        raise SystemExit(message or "the keeper exited before it could launch the unit")


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'keeper'}: {problem.strerror}")
