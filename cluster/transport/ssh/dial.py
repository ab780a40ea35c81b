"""Through all hops of a way to an open connection: Fabric connects, each hop over the one before it."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import fabric
import paramiko

from cluster.errors import Unreachable
from cluster.transport.ssh import trouble
from cluster.transport.ssh.hop import Hop
from cluster.transport.ssh.identities import Login
from cluster.transport.ssh.known_hosts import StrictPolicy
from cluster.transport.ssh.sockets import Proxy, direct, forwarded

_KEEP_ALIVE = 5
#: From ten logins under way on, sshd turns some away (`MaxStartups 10:30:100`), and we are not alone there.
_LOGINS_AT_ONCE = 8

_doors: dict[tuple[str, int], threading.BoundedSemaphore] = {}


class Line:
    """The open connections of a way; commands run over the last."""

    def __init__(self) -> None:
        self._hangups = contextlib.ExitStack()
        self.transport: Any = None

    @property
    def is_alive(self) -> bool:
        return bool(self.transport and self.transport.is_active())

    def extend(self, hop: Hop, patience: float) -> None:
        """Connect `hop` over what is connected already."""
        with _doors.setdefault((hop.address, hop.port), threading.BoundedSemaphore(_LOGINS_AT_ONCE)):
            sock = self._socket(hop, patience)
            connection = _Attempt(hop, patience).connect(sock)
        self._hangups.callback(connection.client.close)
        self.transport = connection.transport

    def close(self) -> None:
        """Hang up, the last hop first."""
        self._hangups.close()

    def _socket(self, hop: Hop, patience: float) -> Any:
        if hop.through:
            return forwarded(self.transport, hop, hop.through, patience)
        if hop.proxy_command:
            return self._hangups.enter_context(Proxy(hop.proxy_command)).socket
        return direct(hop, patience)


def dial(hop: Hop, patience: float) -> Line:
    """Connect all hops up to `hop`, each within `patience` seconds."""
    line = Line()
    try:
        for each in _way(hop):
            line.extend(each, patience)
    except BaseException:
        line.close()
        raise
    return line


def _way(hop: Hop) -> list[Hop]:
    return [*(_way(hop.through) if hop.through else []), hop]


class _Attempt:
    """One login at one hop."""

    def __init__(self, hop: Hop, patience: float) -> None:
        self._hop = hop
        self._patience = patience
        self._policy = StrictPolicy(hop)
        self._transport: Any = None
        self._deadline = time.monotonic() + patience

    def connect(self, sock: Any) -> Any:
        with contextlib.ExitStack() as undo:
            undo.callback(sock.close)
            connection = self._connection(sock)
            undo.callback(connection.client.close)
            self._open(connection)
            undo.pop_all()
        connection.transport.set_keepalive(_KEEP_ALIVE)
        return connection

    def _open(self, connection: Any) -> None:
        watchdog = threading.Timer(self._patience, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.open()
            # Its answer comes from a server that no longer counts this among its logins under way.
            connection.transport.global_request("served@orchestrator", wait=True)
        except Exception as error:
            late = time.monotonic() >= self._deadline
            if isinstance(error, Unreachable) and not late:
                raise
            raise trouble.of_session(self._hop, error, self._transport, late, self._patience) from error
        finally:
            watchdog.cancel()

    def _connection(self, sock: Any) -> Any:
        """Fabric's, with everything said: no configuration file and no default of its own has a say."""
        stages = ("timeout", "banner_timeout", "auth_timeout", "channel_timeout")
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
                **dict.fromkeys(stages, self._patience),
            },
        )
        connection.client.set_missing_host_key_policy(self._policy)
        return connection

    def _make_transport(self, sock: Any, **options: Any) -> Any:
        self._transport = paramiko.Transport(sock, **options)
        self._transport.handshake_timeout = self._patience
        algorithms = self._transport.get_security_options()
        algorithms.key_types = self._policy.preferred(algorithms.key_types)
        return self._transport

    def _give_up(self) -> None:
        if self._transport:
            self._transport.close()
