"""Bring a sandbox up and see that every host answers."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from . import driver, inventory, state, supervisor
from .errors import SandboxError
from .layout import PORTS, Order
from .network import tool

_PATIENCE = 30.0
_TOOLS = ("sshd", "ssh-keygen", "ip", "nsenter")


def up(order: Order, also_to: Path | None) -> Path:
    """Returns the inventory to use."""
    _check_machine(order)
    lock = state.claim(order.folder)
    pid, progress = supervisor.spawn(order, lock, also_to)
    os.close(lock)
    try:
        with progress:
            _follow(line.rstrip("\n") for line in progress)
        _wait_for_sshd(order.folder)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        raise
    return also_to or order.folder / inventory.FILE


def _check_machine(order: Order) -> None:
    if os.geteuid() != 0:
        raise SandboxError("the sandbox needs root: it makes namespaces, bridges and an sshd on port 22")
    for name in _TOOLS:
        tool(name)
    if order.real:
        driver.require(order.first_gpu + order.hosts * order.gpus)
    if order.owner is not None and not Path(f"/proc/{order.owner}").exists():
        raise SandboxError(f"--owner {order.owner}: no such process")


def _follow(lines: Iterable[str]) -> None:
    for line in lines:
        if line == "ready":
            return
        kind, _, text = line.partition("error: ")
        if not kind:
            raise SandboxError(text)
        print(line, file=sys.stderr)
    raise SandboxError("the supervisor ended before the sandbox was up")


def _wait_for_sshd(folder: Path) -> None:
    hosts = state.hosts(folder)
    until = time.monotonic() + _PATIENCE
    for host in hosts:
        for port in PORTS:
            while not _answers(host.address, port):
                if not host.init.lives():
                    raise SandboxError(f"{host.name} ended while starting")
                if time.monotonic() > until:
                    raise SandboxError(f"sshd of {host.name} does not answer on {host.address}:{port}")
                time.sleep(0.02)
    print(f"{len(hosts)} hosts answer on ports {' and '.join(map(str, PORTS))}", file=sys.stderr)


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
