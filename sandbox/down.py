"""Take a sandbox down and see that nothing of it is left."""

import os
import select
import signal
import time
from collections.abc import Callable

from . import network, state
from .errors import SandboxError
from .layout import FOLDER

_PATIENCE = 10.0


def down(name: str) -> bool:
    """False when there was nothing to take down."""
    folder = FOLDER / name
    if not folder.exists():
        return False
    supervisor, link, hosts = state.supervisor(folder), state.link(folder), state.hosts(folder)
    if supervisor is not None:
        _end(supervisor)
    if not _within(_PATIENCE, lambda: not any(host.init.lives() for host in hosts)):
        raise SandboxError(f"still alive: {', '.join(host.name for host in hosts if host.init.lives())}")
    if link is not None and not _within(_PATIENCE, lambda: not network.link_exists(link)):
        raise SandboxError(f"the link {link} is still there")
    if not _within(1.0, lambda: not folder.exists()):
        state.remove(folder)  # its janitor was killed
    return True


def _end(supervisor: state.Process) -> None:
    try:
        handle = os.pidfd_open(supervisor.pid)
    except ProcessLookupError:
        return
    try:
        if supervisor.lives():
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            if not select.select([handle], [], [], _PATIENCE)[0]:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def _within(seconds: float, done: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
