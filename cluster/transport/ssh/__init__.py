"""The way to a host over SSH. Fabric connects; the only importers of fabric, invoke and paramiko are here.

    config        what the inventory and ~/.ssh/config say about a host      -> Hop
    known_hosts   which host keys are known
    identities    which keys we have
    sockets       what a hop is connected over
    dial          through all hops to an open connection                      -> Line
    running       one command on a channel of a line
    transport     lines and channels, as `cluster.transport.host.Transport` wants them
    trouble       what the exceptions of all these mean

Importing this takes half a second: do it late.
"""

from __future__ import annotations

import logging
from pathlib import Path

from cluster.transport.host import Transport
from cluster.transport.ssh.config import HostEndpoint, resolve
from cluster.transport.ssh.transport import SshTransport

# It writes tracebacks of its threads to stderr, of errors that we report ourselves.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


def connect(
    spec: HostEndpoint, known_hosts: Path | None, patience: float, config: Path | None = None
) -> Transport:
    """The way to the host of `spec`, opened at first use.

    `known_hosts` is the one file to believe, else OpenSSH's own; `patience` in seconds is for each hop;
    `config` stands in for ~/.ssh/config and /etc/ssh/ssh_config, as with `ssh -F`.
    """
    return SshTransport(spec.name, patience, lambda: resolve(spec, known_hosts, config))
