"""A host: one process that gives itself a machine of its own and becomes pid 1 there, its sshd.

sshd serves as init: it reaps what is orphaned, and when it goes the kernel ends every process of the host.
"""

import contextlib
import os
import resource
import socket
import sys
import traceback
from typing import NoReturn

from . import kernel, network, root, ssh
from .gpus import install as gpus
from .layout import PATH, HostLayout, Layout

_OWN = kernel.NEW_NETWORK | kernel.NEW_MOUNTS | kernel.NEW_HOSTNAME | kernel.NEW_IPC
_READY = b"."

#: Room for the queues of 16 ranks, Ray's object store and NCCL; what nobody writes takes no memory. With GPUs
#: there is more of each.
_SHARED_MEMORY, _SHARED_MEMORY_OF_GPUS = "8g", "32g"

#: Soft and hard limit of open files, as on a GPU host made ready for vLLM.
_OPEN_FILES = (1024, 1048576)


def start(layout: Layout, host: HostLayout) -> tuple[int, socket.socket]:
    """The pid of the new host, which now waits for its cables, and the line that tells it they are there."""
    ours, theirs = socket.socketpair()
    pid = _fork_into_own_processes()
    if pid == 0:
        ours.close()
        _become(layout, host, theirs)
    theirs.close()
    return pid, ours


def wait_for_namespaces(line: socket.socket) -> bool:
    return line.recv(1) == _READY


def cables_are_there(line: socket.socket) -> None:
    line.send(_READY)
    line.close()


def _fork_into_own_processes() -> int:
    """A child that is pid 1 of a new namespace, while this process stays in its own."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        kernel.unshare(kernel.NEW_PROCESSES)
        pid = os.fork()
        if pid != 0:
            kernel.enter(own)
        return pid
    finally:
        os.close(own)


def _become(layout: Layout, host: HostLayout, line: socket.socket) -> NoReturn:
    try:
        kernel.die_with_parent()
        os.setsid()
        kernel.unshare(_OWN)
        line.send(_READY)
        _furnish(layout, host)
        if line.recv(1) == _READY:  # otherwise the supervisor went while we were building
            network.configure(host)
            _raise_limits()
            argv = ssh.argv()
            os.environ.clear()
            os.environ["PATH"] = PATH
            os.execv(argv[0], argv)
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    os._exit(1)


def _raise_limits() -> None:
    """Where this machine allows it: a container may not have the capability to."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, _OPEN_FILES)


def _furnish(layout: Layout, host: HostLayout) -> None:
    order = layout.order
    socket.sethostname(host.name)
    new = root.build(order.folder, _SHARED_MEMORY_OF_GPUS if order.real else _SHARED_MEMORY, order.real)
    (new / "etc/hostname").write_text(f"{host.name}\n")
    names = "".join(f"{other.address} {other.name}\n" for other in layout.hosts)
    (new / "etc/hosts").write_text(f"127.0.0.1 localhost\n{names}")
    ssh.install(new, layout, host)
    if not order.real:
        gpus.install(new, order.gpus, host.name)
    kernel.become_root(new)
