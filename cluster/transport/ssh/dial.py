"""Connects along a route: Fabric logs in at each hop, over the hop before it."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import fabric
import paramiko

from cluster.errors import Unreachable
from cluster.transport.ssh import connect_errors
from cluster.transport.ssh.hop import Hop
from cluster.transport.ssh.identities import Login
from cluster.transport.ssh.known_hosts import StrictPolicy
from cluster.transport.ssh.sockets import Proxy, forwarded_channel, tcp_socket

_KEEP_ALIVE = 5
#: Above ten pending logins sshd refuses some (`MaxStartups 10:30:100`), and other clients log in too.
_MAX_LOGINS = 8

_login_slots: dict[tuple[str, int], threading.BoundedSemaphore] = {}


class SshConnection:
    """The open logins along a route; commands run over the last one."""

    def __init__(self) -> None:
        self._cleanup = contextlib.ExitStack()
        self.transport: Any = None

    @property
    def is_alive(self) -> bool:
        return bool(self.transport and self.transport.is_active())

    def extend(self, hop: Hop, timeout: float) -> None:
        """Connects to `hop` over the hops that are already connected."""
        with _login_slots.setdefault((hop.address, hop.port), threading.BoundedSemaphore(_MAX_LOGINS)):
            sock = self._socket(hop, timeout)
            login = _LoginAttempt(hop, timeout).connect(sock)
        self._cleanup.callback(login.client.close)
        self.transport = login.transport

    def close(self) -> None:
        """Closes all, the last hop first."""
        self._cleanup.close()

    def _socket(self, hop: Hop, timeout: float) -> Any:
        if hop.gateway:
            return forwarded_channel(self.transport, hop, hop.gateway, timeout)
        if hop.proxy_command:
            return self._cleanup.enter_context(Proxy(hop.proxy_command)).socket
        return tcp_socket(hop, timeout)


def dial(hop: Hop, timeout: float) -> SshConnection:
    """Connects all hops up to `hop`, each within `timeout` seconds."""
    connection = SshConnection()
    try:
        for each in _route(hop):
            connection.extend(each, timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def _route(hop: Hop) -> list[Hop]:
    return [*(_route(hop.gateway) if hop.gateway else []), hop]


class _LoginAttempt:
    """One login at one hop."""

    def __init__(self, hop: Hop, timeout: float) -> None:
        self._hop = hop
        self._timeout = timeout
        self._policy = StrictPolicy(hop)
        self._transport: Any = None
        self._deadline = time.monotonic() + timeout

    def connect(self, sock: Any) -> Any:
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(sock.close)
            connection = self._connection(sock)
            cleanup.callback(connection.client.close)
            self._open(connection)
            cleanup.pop_all()
        connection.transport.set_keepalive(_KEEP_ALIVE)
        return connection

    def _open(self, connection: Any) -> None:
        watchdog = threading.Timer(self._timeout, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.open()
            # This answer comes from a server that no longer counts this login as pending.
            connection.transport.global_request("served@orchestrator", wait=True)
        except Exception as error:
            late = time.monotonic() >= self._deadline
            if isinstance(error, Unreachable) and not late:
                raise
            raise connect_errors.session_error(self._hop, error, self._transport, late, self._timeout) from error
        finally:
            watchdog.cancel()

    def _connection(self, sock: Any) -> Any:
        """Returns Fabric's connection with every option set: none comes from a file or from Fabric's defaults."""
        timeouts = ("timeout", "banner_timeout", "auth_timeout", "channel_timeout")
        connection = fabric.Connection(
            self._hop.address,
            user=self._hop.user,
            port=self._hop.port,
            config=fabric.Config(ssh_config=paramiko.SSHConfig(), lazy=True),
            gateway=False,
            forward_agent=False,
            connect_kwargs={
                "sock": sock,
                "auth_strategy": Login(self._hop),
                "transport_factory": self._make_transport,
                **dict.fromkeys(timeouts, self._timeout),
            },
        )
        connection.client.set_missing_host_key_policy(self._policy)
        return connection

    def _make_transport(self, sock: Any, **options: Any) -> Any:
        self._transport = paramiko.Transport(sock, **options)
        self._transport.handshake_timeout = self._timeout
        algorithms = self._transport.get_security_options()
        algorithms.key_types = self._policy.preferred(algorithms.key_types)
        return self._transport

    def _give_up(self) -> None:
        if self._transport:
            self._transport.close()
