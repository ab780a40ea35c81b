"""The operator, and the machine on which the operator works."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cluster.values import Launcher, Lease
from orchestrator.local.atomic_write import private_write

_FILE = "operator-id"
_ID = re.compile(r"[0-9a-f]{32}")


def lease(reason: str) -> Lease:
    """The operator's lease, which begins now."""
    return Lease(_name(), socket.gethostname(), datetime.now(UTC).isoformat("T", "seconds"), reason)


def launcher(state: Path) -> Launcher:
    """The identity of whoever launches from here. Names may repeat elsewhere, and one operator may use several
    machines."""
    return Launcher(owner=_name(), machine=socket.gethostname(), state=_id(state / _FILE))


def _id(path: Path) -> str:
    """The id of a state folder. It is created where it is missing, and empty where it cannot be saved."""
    with suppress(OSError, ValueError):
        if _ID.fullmatch(known := path.read_text("ascii").strip()):
            return known
    made = secrets.token_hex(16)
    with suppress(OSError):
        private_write(path, f"{made}\n".encode())
        return made
    return ""


def _name() -> str:
    """Returns a name in every case: in a container, a user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
