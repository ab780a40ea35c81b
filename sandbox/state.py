"""The state folder: who supervises a sandbox, its keys, its hosts' pids. It ends with the supervisor."""

import fcntl
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import SandboxError
from .layout import FOLDER, Layout


@dataclass(frozen=True)
class Process:
    """A process that a reused pid is not taken for."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> "Process":
        return cls(pid, start_ticks(pid))

    def lives(self) -> bool:
        try:
            return start_ticks(self.pid) == self.start_ticks
        except OSError:
            return False


def start_ticks(pid: int) -> int:
    state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if state in "ZX":
        raise ProcessLookupError(pid)
    return int(fields[18])


def claim(folder: Path, patience: float = 5.0) -> int:
    """A locked descriptor of a fresh state folder: supervisor and janitor hold it while the sandbox is up."""
    until = time.monotonic() + patience
    while (lock := _locked(folder)) is None:
        if (owner := supervisor(folder)) is not None and owner.lives():
            raise SandboxError(f"sandbox {folder.name} is already up; give this one another --name")
        if time.monotonic() > until:
            raise SandboxError(f"somebody is still setting up or clearing {folder}")
        time.sleep(0.01)
    _empty(folder)
    return lock


def _locked(folder: Path) -> int | None:
    try:
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # a janitor removed the parent in between
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == folder.stat().st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None


def _empty(folder: Path) -> None:
    for leftover in folder.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if FOLDER.exists() and not any(FOLDER.iterdir()):
        FOLDER.rmdir()


def write_supervisor(folder: Path) -> None:
    _write(folder / "supervisor.json", asdict(Process.of(os.getpid())))


def supervisor(folder: Path) -> Process | None:
    content = _read(folder / "supervisor.json")
    return Process(**content) if content else None


@dataclass(frozen=True)
class HostState:
    name: str
    address: str
    init: Process
    """Killing it is pulling the host's plug."""


def write_hosts(layout: Layout, pids: list[int]) -> None:
    hosts = [asdict(host) | asdict(Process.of(pid)) for host, pid in zip(layout.hosts, pids, strict=True)]
    _write(layout.order.folder / "hosts.json", {"link": layout.link, "hosts": hosts})


def link(folder: Path) -> str | None:
    content = _read(folder / "hosts.json")
    return content["link"] if content else None


def hosts(folder: Path) -> list[HostState]:
    content = _read(folder / "hosts.json") or {"hosts": []}
    return [
        HostState(host["name"], host["address"], Process(host["pid"], host["start_ticks"]))
        for host in content["hosts"]
    ]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def _write(path: Path, content: object) -> None:
    """Writes in one step, so that no process reads a half-written file."""
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(content, indent=1))
    beside.replace(path)
