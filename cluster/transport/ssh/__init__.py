"""The transport to a host over SSH. Fabric connects; the only importers of fabric, invoke and paramiko are here.

    config          what the inventory and ~/.ssh/config say about a host      -> Hop
    known_hosts     the known host keys
    identities      the keys that we log in with
    sockets         the sockets of a hop
    dial            a login at all hops of a route                             -> SshConnection
    command         one command on a channel of a connection
    transport       `cluster.transport.host.Transport` over one connection
    connect_errors  what the exceptions of all these mean

Importing this takes half a second: do it late.
"""

from __future__ import annotations

import logging
from pathlib import Path

from cluster.transport.host import Transport
from cluster.transport.ssh.config import HostTarget, resolve
from cluster.transport.ssh.transport import SshTransport

# It writes tracebacks of its threads to stderr, for errors that we report ourselves.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


def connect(spec: HostTarget, known_hosts: Path | None, timeout: float, config: Path | None = None) -> Transport:
    """Returns the transport to the host of `spec`, opened at first use.

    `known_hosts` is the only file of host keys to use; None means OpenSSH's own files. `timeout` in seconds is for
    each hop. `config` replaces ~/.ssh/config and /etc/ssh/ssh_config, as with `ssh -F`.
    """
    return SshTransport(spec.name, timeout, lambda: resolve(spec, known_hosts, config))
