"""Resolves the inventory and ~/.ssh/config to the hops of a route, in OpenSSH's order."""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import paramiko

from cluster.errors import Unreachable
from cluster.transport.ssh.hop import DEFAULT_PORT, Hop

_USER_CONFIG = "~/.ssh/config"
_SYSTEM_CONFIG = "/etc/ssh/ssh_config"
_USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_MAX_DEPTH = 16
_JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[^]]+)]|(?P<name>[^:]+))(?::(?P<port>\d+))?/?")


class SshTarget(Protocol):
    """A login as the inventory describes it; ~/.ssh/config decides the rest."""

    @property
    def address(self) -> str: ...
    @property
    def user(self) -> str | None: ...
    @property
    def port(self) -> int | None: ...
    @property
    def identity_file(self) -> Path | str | None: ...
    @property
    def jump(self) -> SshTarget | None: ...


class HostTarget(SshTarget, Protocol):
    """A login with the name of its host."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class _Jump:
    """A jump host as `ProxyJump` names it."""

    address: str
    user: str | None
    port: int | None
    jump: _Jump | None
    identity_file: None = None


#: `%l` and `%C` are missing: paramiko asks the DNS about this machine for them, even where neither occurs.
_TOKENS = {
    "hostname": ["%h"],
    "identityfile": ["~", "%d", "%h", "%u", "%r"],
    "proxycommand": ["~", "%h", "%n", "%p", "%r"],
    "proxyjump": ["%h", "%p", "%r"],
    "hostkeyalias": ["%h", "%n", "%p"],
    "userknownhostsfile": ["~", "%d", "%h", "%n", "%p"],
    "match-exec": ["%d", "%h", "%n", "%p", "%r", "%u"],
}


def resolve(spec: HostTarget, known_hosts: Path | None, config: Path | None) -> Hop:
    """Returns the last hop of the route to `spec`; each hop has the one before it as its `gateway`."""
    files = [config] if config else [Path(_USER_CONFIG).expanduser(), Path(_SYSTEM_CONFIG)]
    try:
        lines = [line for file in files for line in _lines(file, file.parent)]
        return _Resolver(spec.name, lines, known_hosts).hop(spec)
    except (paramiko.SSHException, paramiko.CouldNotCanonicalize, ValueError, OSError, KeyError) as error:
        cure = f"correct the file; `ssh -G {spec.address}` shows how OpenSSH reads it"
        cause = f"{files[0]} cannot be used: {error}"
        raise Unreachable(spec.name, "resolve the SSH route", cause=cause, cure=cure) from error


class _Resolver:
    """Follows the jumps of one host."""

    def __init__(self, host: str, lines: list[str], known_hosts: Path | None) -> None:
        self._host = host
        self._lines = lines
        self._known_hosts = known_hosts

    def hop(self, target: SshTarget, seen: tuple[str, ...] = ()) -> Hop:
        """Returns the hop of `target`.

        `seen` are the later hops, which must not occur again (`Host *` with `ProxyJump b`).
        """
        settings = self._settings(target)
        seen = (*seen, target.address)
        jump = target.jump or _jump_of(settings, seen)
        return Hop(
            host=self._host,
            address=settings["hostname"],
            port=int(settings.get("port", DEFAULT_PORT)),
            user=settings.get("user") or getpass.getuser(),
            is_jump=len(seen) > 1,
            identities=_identities(target, settings),
            identities_only=settings.get("identitiesonly") == "yes",
            known_hosts=self._files(settings),
            key_alias=settings.get("hostkeyalias", ""),
            proxy_command="" if jump else _proxy_command(settings),
            gateway=self.hop(jump, seen) if jump else None,
        )

    def _settings(self, target: SshTarget) -> Mapping[str, Any]:
        """Looks up the target. The first value wins, as with OpenSSH's own options: that of the inventory."""
        first = [f"User {target.user}"] if target.user else []
        first += [f"Port {target.port}"] if target.port else []
        config = paramiko.SSHConfig.from_text("\n".join([*first, *self._lines]))
        config.TOKENS_BY_CONFIG_KEY = _TOKENS
        settings: Mapping[str, Any] = config.lookup(target.address)
        return settings

    def _files(self, settings: Mapping[str, Any]) -> tuple[Path, ...]:
        if self._known_hosts:
            return (self._known_hosts,)
        words = shlex.split(settings.get("userknownhostsfile", _USER_KNOWN_HOSTS))
        words += shlex.split(settings.get("globalknownhostsfile", _SYSTEM_KNOWN_HOSTS))
        return _paths(words)


def _identities(target: SshTarget, settings: Mapping[str, Any]) -> tuple[Path, ...] | None:
    if target.identity_file:
        return (Path(target.identity_file).expanduser(),)
    words = settings.get("identityfile")
    return None if words is None else _paths(words)


def _paths(words: Iterable[str]) -> tuple[Path, ...]:
    return tuple(Path(word).expanduser() for word in words if word.lower() != "none")


def _proxy(settings: Mapping[str, Any]) -> str:
    """Returns the key of the proxy setting that counts: the first one."""
    return next((key for key in settings if key in ("proxyjump", "proxycommand")), "")


def _proxy_command(settings: Mapping[str, Any]) -> str:
    return settings["proxycommand"] or "" if _proxy(settings) == "proxycommand" else ""


def _jump_of(settings: Mapping[str, Any], seen: tuple[str, ...]) -> _Jump | None:
    """Returns the last jump host of a `ProxyJump`; each has the one on its left before it."""
    if _proxy(settings) != "proxyjump" or settings["proxyjump"].lower() == "none":
        return None
    jump: _Jump | None = None
    for word in settings["proxyjump"].split(","):
        match = _JUMP.fullmatch(word.strip())
        if not match:
            raise ValueError(f"ProxyJump {word!r}")
        port = int(match["port"]) if match["port"] else None
        jump = _Jump(match["v6"] or match["name"], match["user"], port, jump)
    return None if jump and jump.address in seen else jump


def _lines(file: Path, base: Path, depth: int = 0) -> Iterator[str]:
    """Yields the lines of a configuration with the files that it includes: paramiko would ignore them."""
    block = "Host *"
    for line in _text(file).splitlines():
        key, *values = line.replace("=", " ", 1).split(maxsplit=1) or [""]
        if key.lower() == "include" and depth < _MAX_DEPTH:
            for included in _included(" ".join(values), base):
                yield from _lines(included, base, depth + 1)
            yield block
        else:
            block = line if key.lower() in ("host", "match") else block
            yield line


def _included(patterns: str, base: Path) -> Iterator[Path]:
    for pattern in shlex.split(patterns):
        path = base / Path(pattern).expanduser()
        yield from sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return ""
