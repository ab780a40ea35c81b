"""Errors of the connection to a hop, with their causes and fixes.

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
    """Returns why the TCP connection failed."""
    if isinstance(error, socket.gaierror):
        cause = f"the name {hop.address} does not resolve"
        cure = "correct the address in the inventory, or HostName in ~/.ssh/config"
    elif isinstance(error, ConnectionRefusedError):
        cause = f"no process listens on {hop.address_and_port}"
        cure = f"start sshd on {hop.address}, or correct the port in the inventory or in ~/.ssh/config"
    elif isinstance(error, TimeoutError):
        cause = f"{hop.address_and_port} did not answer within {timeout:g} s"
        cure = f"check that {hop.address} is up, and that no firewall or missing VPN blocks it"
    else:
        cause = f"no route to {hop.address_and_port}: {error.strerror or error}"
        cure = f"check that your network reaches {hop.address}: `ip route get {hop.address}`"
    return hop.unreachable(cause, cure, str(error))


def forward_error(hop: Hop, jump: Hop, error: Exception) -> Unreachable:
    """Returns why the jump host did not connect to `hop`."""
    code = error.code if isinstance(error, paramiko.ChannelException) else 0
    if code == _PROHIBITED:
        cause = f"the jump host {jump.address} refuses to forward to {hop.address_and_port}"
        setting = "the jump host's sshd_config (AllowTcpForwarding, PermitOpen)"
        cure = f"allow it in {setting}; then try: {hop.ssh('true')}"
    elif code == _CONNECT_FAILED:
        cause = f"the jump host {jump.address} cannot connect to {hop.address_and_port}"
        test = jump.ssh(f"nc -vz {hop.address} {hop.port}")
        cure = f"check on the jump host that {hop.address} is up and that its name resolves: {test}"
    else:
        cause = f"the jump host {jump.address} did not connect to {hop.address_and_port}"
        cure = f"find the cause with: {hop.ssh('-v', 'true')}"
    return hop.unreachable(cause, cure, str(error))


def session_error(hop: Hop, error: Exception, transport: Any, late: bool, timeout: float) -> Unreachable:
    """Returns why a connection has no SSH session; `late` when it timed out."""
    message = str(error)
    server = transport.remote_version if transport else ""
    stage = "logging in" if transport and transport.initial_kex_done else "agreeing on keys"
    cure = f"find the cause with: {hop.ssh('-v', 'true')}"
    if not server:
        return _silent_server(hop, late, timeout, message)
    if late:
        cause = f"the SSH server on {hop.address_and_port} did not finish {stage} within {timeout:g} s"
    elif isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        cause = f"this machine and {server} share no cipher, key exchange or host key type"
    else:
        cause = f"the SSH server on {hop.address_and_port} closed the connection while {stage}"
    return hop.unreachable(cause, cure, message)


def _silent_server(hop: Hop, late: bool, timeout: float, message: str) -> Unreachable:
    if hop.proxy_command:
        cause = f"no SSH server answers through ProxyCommand {hop.proxy_command}"
        return hop.unreachable(cause, f"try: {hop.ssh('true')}", message)
    if late:
        cause = f"{hop.address_and_port} accepts connections, but no SSH server answered within {timeout:g} s"
        cure = f"check whether sshd on {hop.address} hangs, or another program uses that port"
    else:
        cause = (
            f"{hop.address_and_port} accepts connections, but it is not an SSH server, or it refuses this client"
        )
        cure = "check whether another program uses that port, or sshd there is at its limit (MaxStartups)"
    return hop.unreachable(cause, cure, message)
