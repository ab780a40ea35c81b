"""Who works here: the person, and the machine they work on."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime

from cluster.values import Lease


def lease(reason: str) -> Lease:
    """A lease of the operator that begins now."""
    return Lease(_name(), socket.gethostname(), datetime.now(UTC).isoformat("T", "seconds"), reason)


def _name() -> str:
    """Returns a name in any case: in a container, a user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
