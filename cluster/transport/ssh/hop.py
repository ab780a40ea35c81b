"""One hop of the route to a host."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import Unreachable

DEFAULT_PORT = 22


@dataclass(frozen=True)
class Hop:
    """A login on the route to `host` (its name in the inventory); `gateway` is the hop before it.

    `identities` None: the usual files in ~/.ssh.
    """

    host: str
    address: str
    port: int
    user: str
    is_jump: bool
    identities: tuple[Path, ...] | None
    identities_only: bool
    known_hosts: tuple[Path, ...]
    key_alias: str
    proxy_command: str
    gateway: Hop | None

    @property
    def address_and_port(self) -> str:
        return f"{self.address} port {self.port}"

    @property
    def known_as(self) -> str:
        """Returns the name of its entry in known_hosts."""
        return self.key_alias or (self.address if self.port == DEFAULT_PORT else f"[{self.address}]:{self.port}")

    def ssh(self, *words: str) -> str:
        """Returns the OpenSSH command that takes the same route."""
        return shlex.join(("ssh", *self._options(), *words[:-1], f"{self.user}@{self.address}", *words[-1:]))

    def unreachable(self, cause: str, cure: str, message: str = "") -> Unreachable:
        login = f"its jump host {self.user}@{self.address}" if self.is_jump else f"{self.user}@{self.address}"
        route = f" through {self.gateway.address}" if self.gateway else ""
        doing = f"connect to {login} port {self.port}{route}"
        return Unreachable(self.host, doing, message, cause=cause, cure=cure)

    def _options(self) -> list[str]:
        options = ["-p", str(self.port)] if self.port != DEFAULT_PORT else []
        if self.identities:
            options += ["-i", str(self.identities[0])]
        if self.known_hosts and self.known_hosts[0] != Path("~/.ssh/known_hosts").expanduser():
            options += ["-o", f"UserKnownHostsFile={self.known_hosts[0]}"]
        if self.key_alias:
            options += ["-o", f"HostKeyAlias={self.key_alias}"]
        if self.proxy_command:
            options += ["-o", f"ProxyCommand={self.proxy_command}"]
        return options + (["-J", ",".join(self.gateway._jumps())] if self.gateway else [])

    def _jumps(self) -> list[str]:
        address = f"[{self.address}]" if ":" in self.address else self.address
        before = self.gateway._jumps() if self.gateway else []
        return [*before, f"{self.user}@{address}:{self.port}"]
