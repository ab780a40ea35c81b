"""The sockets of a hop: a TCP connection, a channel of the hop before it, or a ProxyCommand."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import Any

import paramiko

from cluster.transport.ssh import connect_errors
from cluster.transport.ssh.hop import Hop

#: Milliseconds in which a sent byte must be acknowledged; a keep-alive alone does not notice a cut link.
_USER_TIMEOUT = 15_000
#: Seconds for a ProxyCommand to exit.
_END_TIMEOUT = 1.0


def tcp_socket(hop: Hop, timeout: float) -> socket.socket:
    """Returns a TCP connection to the first of its addresses that answers."""
    deadline = time.monotonic() + timeout
    try:
        failure = OSError("the name has no address")
        addresses = socket.getaddrinfo(hop.address, hop.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses:
            try:
                return _connected(socket.socket(family, kind, protocol), address, deadline)
            except OSError as error:
                failure = error
        raise failure
    except OSError as error:
        raise connect_errors.tcp_error(hop, error, timeout) from error


def _connected(sock: socket.socket, address: Any, deadline: float) -> socket.socket:
    try:
        sock.settimeout(max(deadline - time.monotonic(), 0.1))
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)
    except OSError:
        sock.close()
        raise
    return sock


def forwarded_channel(transport: Any, hop: Hop, jump: Hop, timeout: float) -> Any:
    """Returns a connection that the jump host makes for us."""
    target, origin = (hop.address, hop.port), ("127.0.0.1", 0)
    try:
        return transport.open_channel("direct-tcpip", target, origin, timeout=timeout)
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise connect_errors.forward_error(hop, jump, error) from error


class Proxy:
    """A `ProxyCommand` behind a real socket: paramiko's own never notices the end of the command."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __enter__(self) -> Proxy:
        self.socket, theirs = socket.socketpair()
        with theirs:
            words = ("/bin/sh", "-c", f"exec {self._command}")
            # It has its own session: Ctrl-C is only for this program, which needs the connection to roll back.
            self._process = subprocess.Popen(
                words,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self._process.terminate()
        try:
            self._process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
