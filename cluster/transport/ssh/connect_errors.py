"""Errors of connecting to a hop, with their causes and cures.

The kind of an exception and the progress of the connection decide, never English words.
"""

from __future__ import annotations

import socket
from typing import Any

import paramiko

from cluster.errors import Unreachable
from cluster.transport.ssh.hop import Hop

#: Reasons of RFC 4254, section 5.1.
_PROHIBITED, _CONNECT_FAILED = 1, 2


def tcp_error(hop: Hop, error: OSError, timeout: float) -> Unreachable:
    """Returns why there is no TCP connection."""
    if isinstance(error, socket.gaierror):
        cause = f"the name {hop.address} cannot be resolved"
        cure = "correct the address in the inventory, or HostName in ~/.ssh/config"
    elif isinstance(error, ConnectionRefusedError):
        cause = f"nothing listens on {hop.address_and_port}"
        cure = f"start sshd on {hop.address}, or correct the port in the inventory or in ~/.ssh/config"
    elif isinstance(error, TimeoutError):
        cause = f"no answer from {hop.address_and_port} within {timeout:g} s"
        cure = f"see whether {hop.address} is up and no firewall or missing VPN is in between"
    else:
        cause = f"no way to {hop.address_and_port}: {error.strerror or error}"
        cure = f"see whether your network reaches {hop.address}: `ip route get {hop.address}`"
    return hop.unreachable(cause, cure, str(error))


def forward_error(hop: Hop, jump: Hop, error: Exception) -> Unreachable:
    """Returns why the jump host did not connect on to `hop`."""
    code = error.code if isinstance(error, paramiko.ChannelException) else 0
    if code == _PROHIBITED:
        cause = f"the jump host {jump.address} refuses to forward to {hop.address_and_port}"
        cure = f"allow it in its sshd_config (AllowTcpForwarding, PermitOpen); try: {hop.ssh('true')}"
    elif code == _CONNECT_FAILED:
        cause = f"the jump host {jump.address} gets no connection to {hop.address_and_port}"
        test = jump.ssh(f"nc -vz {hop.address} {hop.port}")
        cure = f"see whether it is up and its name known there: {test}"
    else:
        cause = f"the jump host {jump.address} did not connect to {hop.address_and_port}"
        cure = f"see what keeps it: {hop.ssh('-v', 'true')}"
    return hop.unreachable(cause, cure, str(error))


def session_error(hop: Hop, error: Exception, transport: Any, late: bool, timeout: float) -> Unreachable:
    """Returns why a connection carries no SSH session; `late` when we gave up waiting."""
    message = str(error)
    server = transport.remote_version if transport else ""
    stage = "logging in" if transport and transport.initial_kex_done else "agreeing on keys"
    cure = f"see what keeps it: {hop.ssh('-v', 'true')}"
    if not server:
        return _silent_server(hop, late, timeout, message)
    if late:
        cause = f"the SSH server on {hop.address_and_port} did not finish {stage} within {timeout:g} s"
    elif isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        cause = f"no cipher, key exchange or host key type in common with {server}"
    else:
        cause = f"the SSH server on {hop.address_and_port} ended the connection while {stage}"
    return hop.unreachable(cause, cure, message)


def _silent_server(hop: Hop, late: bool, timeout: float, message: str) -> Unreachable:
    if hop.proxy_command:
        cause = f"no SSH server answers through ProxyCommand {hop.proxy_command}"
        return hop.unreachable(cause, f"try: {hop.ssh('true')}", message)
    if late:
        cause = f"{hop.address_and_port} takes connections, but no SSH server spoke within {timeout:g} s"
        cure = f"see whether sshd on {hop.address} hangs, or another program has that port"
    else:
        cause = f"{hop.address_and_port} takes connections, but is no SSH server or turns us away"
        cure = "see whether another program has that port, or sshd there is at its limit (MaxStartups)"
    return hop.unreachable(cause, cure, message)
