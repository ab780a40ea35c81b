"""What runs on a host, as its own /proc says, read from outside: nothing starts there that would be seen."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .errors import SandboxError

#: Of the flags in /proc/PID/stat: a thread of the kernel, which never has a command line.
_KERNEL_THREAD = 0x00200000

#: Seconds for a process to leave that has given up its memory already.
_PATIENCE = 60.0


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    command: str

    @property
    def exiting(self) -> bool:
        """Whether it is about to exit: it has lost its command line with its memory, and is still listed."""
        return not self.command


def processes(init: int) -> list[Process]:
    """The processes of the host whose first process this is on this machine. Whoever is on their way out is waited
    for; raises SandboxError for one that stays."""
    until = time.monotonic() + _PATIENCE
    while True:
        found = list(_listed(Path(f"/proc/{init}/root/proc")))
        exiting = [one.pid for one in found if one.exiting]
        if not exiting:
            return found
        if time.monotonic() > until:
            raise SandboxError(f"without a command line, and still there after {_PATIENCE:g} s: {exiting}")
        time.sleep(0.02)


def _listed(proc: Path) -> Iterator[Process]:
    for entry in proc.iterdir():
        if entry.name.isdigit() and (one := _read(entry)):
            yield one


def _read(folder: Path) -> Process | None:
    """None for a zombie, for a thread of the kernel, and for a process that has exited meanwhile."""
    try:
        command = (folder / "cmdline").read_bytes()
        state, *fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if state in "ZX" or int(fields[5]) & _KERNEL_THREAD:
        return None
    return Process(
        int(folder.name),
        int(fields[0]),
        int(fields[1]),
        command.replace(b"\0", b" ").decode(errors="replace").strip(),
    )
