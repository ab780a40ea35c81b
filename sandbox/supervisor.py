"""The one process that a sandbox hangs on: its namespaces, bridges and hosts end with it, however it ends."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import NoReturn, TextIO

from . import host, inventory, kernel, model, network, root, ssh, state
from .engine import install as engine
from .errors import SandboxError
from .gpus import install as gpus
from .layout import FOLDER, Layout, Order

# Reads until the supervisor's end of the pipe is gone, which a `kill -9` of it brings about as well.
_JANITOR = 'read -r _; rm -rf -- "$1"; rmdir -- "$2" 2>/dev/null'


def spawn(order: Order, lock: int, also_to: Path | None) -> tuple[int, TextIO]:
    """A daemon, and the line on which it tells how far it is: progress, then `ready` or `error: …`."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _daemon(order, lock, writing, also_to)
    os.close(writing)
    return pid, os.fdopen(reading)


def _daemon(order: Order, lock: int, writing: int, also_to: Path | None) -> NoReturn:
    status = 1
    try:
        _leave_terminal(order.folder / "supervisor.log", keep=(lock, writing))
        with os.fdopen(writing, "w", buffering=1) as teller:
            _supervise(order, lock, teller, also_to)
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(status)


def _leave_terminal(log: Path, keep: tuple[int, int]) -> None:
    os.setsid()
    os.chdir("/")
    os.umask(0o022)
    nothing = os.open(os.devnull, os.O_RDWR)
    writing = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, nothing), (1, nothing), (2, writing)):
        os.dup2(source, target)
    for inherited in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if inherited > 2 and inherited not in keep:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(inherited)


def _supervise(order: Order, lock: int, teller: TextIO, also_to: Path | None) -> None:
    ended = _listen(order.owner)
    state.write_supervisor(order.folder)
    janitor = _janitor(order.folder, lock)
    try:
        layout = _build(order, janitor.pid, teller)
        inventory.write(layout, also_to)
        print("ready", file=teller)
    except (SandboxError, OSError) as error:
        print(f"error: {error}", file=teller)
        return
    teller.close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps a host whose plug was pulled
    ended.poll()
    _end_hosts(order.folder)


def _listen(owner: int | None) -> select.poll:
    """Something to wait on that wakes when a signal asks us to end, or when our owner has ended."""
    ended = select.poll()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    ended.register(reading, select.POLLIN)
    if owner is not None:
        ended.register(os.pidfd_open(owner), select.POLLIN)
    return ended


def _janitor(folder: Path, lock: int) -> subprocess.Popen[bytes]:
    """It stays in this machine's namespaces, and holds the lock until nothing of the sandbox is left."""
    argv = ["/bin/sh", "-c", _JANITOR, "sandbox-janitor", str(folder), str(FOLDER)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=(lock,), start_new_session=True)


def _build(order: Order, outside: int, teller: TextIO) -> Layout:
    kernel.unshare(kernel.NEW_NETWORK | kernel.NEW_MOUNTS)
    kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
    layout = network.plug_into_machine(order, outside)
    network.build_bridges()
    print(f"networks 10.66.{layout.number}.0/24 and 10.67.{layout.number}.0/24", file=teller)
    ssh.make_keys(layout)
    _fill(root.share(order.folder), order)
    _start_hosts(layout)
    return layout


def _fill(layer: Path, order: Order) -> None:
    if order.real:
        return  # the machine has all of it
    model.write(layer)
    gpus.write(layer)
    if order.engine == "scripted":
        engine.write(layer)


def _start_hosts(layout: Layout) -> None:
    started = [(each, *host.start(layout, each)) for each in layout.hosts]
    for each, _, line in started:
        if not host.wait_for_namespaces(line):
            raise SandboxError(f"{each.name} could not be made: {_last_words(layout.order.folder)}")
    state.write_hosts(layout, [pid for _, pid, _ in started])
    network.plug_in((each, pid) for each, pid, _ in started)
    for _, _, line in started:
        host.cables_are_there(line)


def _end_hosts(folder: Path) -> None:
    """They would end with us. Ending them first leaves no zombie for this machine's init to collect."""
    for each in state.hosts(folder):
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(each.init.pid)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [])


def _last_words(folder: Path) -> str:
    lines = (folder / "supervisor.log").read_text().splitlines()
    return lines[-1] if lines else "it printed nothing"
