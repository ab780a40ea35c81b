"""The system calls that Python 3.11 has no name for."""

import ctypes
import os
import signal
from pathlib import Path

NEW_MOUNTS = 0x00020000
NEW_HOSTNAME = 0x04000000
NEW_IPC = 0x08000000
NEW_PROCESSES = 0x20000000
NEW_NETWORK = 0x40000000

READ_ONLY = 0x1
NO_SETUID = 0x2
BIND = 0x1000
RECURSIVE = 0x4000
PRIVATE = 0x40000

_DETACH = 0x2
_SET_PARENT_DEATH_SIGNAL = 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(namespaces: int) -> None:
    _checked(_libc.unshare(namespaces), "unshare")


def enter(namespace: int) -> None:
    """Join the namespace behind an open descriptor of /proc/PID/ns/*."""
    _checked(_libc.setns(namespace, 0), "setns")


def die_with_parent() -> None:
    _checked(_libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "prctl")


def mount(kind: str, target: Path | str, source: str = "none", flags: int = 0, options: str = "") -> None:
    words = (source.encode(), os.fsencode(target), kind.encode())
    status = _libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None)
    _checked(status, f"mount {kind} on {target}")


def become_root(folder: Path) -> None:
    """Make `folder`, which must be a mount, the root of this mount namespace and let go of the old one."""
    os.chdir(folder)
    _checked(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _DETACH), "umount of the old root")
    os.chdir("/")


def _checked(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
