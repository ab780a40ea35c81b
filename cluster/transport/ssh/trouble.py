"""What it means when a hop cannot be connected, and what to do about it.

Told from the kind of an exception and from how far the connection had come, never from English words.
"""

from __future__ import annotations

import socket
from typing import Any

import paramiko

from cluster.errors import Unreachable
from cluster.transport.ssh.hop import Hop

#: Reasons of RFC 4254, section 5.1.
_PROHIBITED, _CONNECT_FAILED = 1, 2


def of_network(hop: Hop, error: OSError, patience: float) -> Unreachable:
    """No TCP connection."""
    if isinstance(error, socket.gaierror):
        cause = f"the name {hop.address} cannot be resolved"
        cure = "correct the address in the inventory, or HostName in ~/.ssh/config"
    elif isinstance(error, ConnectionRefusedError):
        cause = f"nothing listens on {hop.place}"
        cure = f"start sshd on {hop.address}, or correct the port in the inventory or in ~/.ssh/config"
    elif isinstance(error, TimeoutError):
        cause = f"no answer from {hop.place} within {patience:g} s"
        cure = f"see whether {hop.address} is up and no firewall or missing VPN is in between"
    else:
        cause = f"no way to {hop.place}: {error.strerror or error}"
        cure = f"see whether your network reaches {hop.address}: `ip route get {hop.address}`"
    return hop.unreachable(cause, cure, str(error))


def of_forward(hop: Hop, jump: Hop, error: Exception) -> Unreachable:
    """The jump host did not connect on to `hop`."""
    code = error.code if isinstance(error, paramiko.ChannelException) else 0
    if code == _PROHIBITED:
        cause = f"the jump host {jump.address} refuses to forward to {hop.place}"
        cure = f"allow it in its sshd_config (AllowTcpForwarding, PermitOpen); try: {hop.ssh('true')}"
    elif code == _CONNECT_FAILED:
        cause = f"the jump host {jump.address} gets no connection to {hop.place}"
        look = jump.ssh(f"nc -vz {hop.address} {hop.port}")
        cure = f"see whether it is up and its name known there: {look}"
    else:
        cause = f"the jump host {jump.address} did not connect to {hop.place}"
        cure = f"see what keeps it: {hop.ssh('-v', 'true')}"
    return hop.unreachable(cause, cure, str(error))


def of_session(hop: Hop, error: Exception, transport: Any, late: bool, patience: float) -> Unreachable:
    """A connection on which no SSH session came about; `late` when we gave up waiting."""
    said = str(error)
    server = transport.remote_version if transport else ""
    stage = "logging in" if transport and transport.initial_kex_done else "agreeing on keys"
    cure = f"see what keeps it: {hop.ssh('-v', 'true')}"
    if not server:
        return _mute(hop, late, patience, said)
    if late:
        cause = f"the SSH server on {hop.place} did not finish {stage} within {patience:g} s"
    elif isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        cause = f"no cipher, key exchange or host key type in common with {server}"
    else:
        cause = f"the SSH server on {hop.place} ended the connection while {stage}"
    return hop.unreachable(cause, cure, said)


def _mute(hop: Hop, late: bool, patience: float, said: str) -> Unreachable:
    if hop.proxy_command:
        cause = f"no SSH server answers through ProxyCommand {hop.proxy_command}"
        return hop.unreachable(cause, f"try: {hop.ssh('true')}", said)
    if late:
        cause = f"{hop.place} takes connections, but no SSH server spoke within {patience:g} s"
        cure = f"see whether sshd on {hop.address} hangs, or another program has that port"
    else:
        cause = f"{hop.place} takes connections, but is no SSH server or turns us away"
        cure = "see whether another program has that port, or sshd there is at its limit (MaxStartups)"
    return hop.unreachable(cause, cure, said)
