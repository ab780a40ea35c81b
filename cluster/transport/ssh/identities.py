"""Logs in with the keys in the agent and in files. Never asks for a password."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from cluster.errors import Unreachable
from cluster.transport.ssh.hop import Hop
from cluster.transport.ssh.known_hosts import fingerprint

_DEFAULT_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class _Offer:
    """A key and its source."""

    key: Any
    source: str


class Login:
    """One attempt to log in at a hop; paramiko calls it an authentication strategy."""

    def __init__(self, hop: Hop) -> None:
        self._hop = hop
        self._paths = _default_paths() if hop.identities is None else hop.identities
        self._refused: list[str] = []
        self._unusable: list[str] = []
        self._encrypted: list[Path] = []

    def authenticate(self, transport: Any) -> list[str]:
        """Offer key after key; raises `Unreachable` when all are refused."""
        methods = self._required_methods(transport)
        if not methods:
            return []
        with contextlib.closing(_Agent()) as agent:
            offered: set[bytes] = set()
            for offer in self._offers(agent.keys()):
                blob = offer.key.asbytes()
                if blob not in offered and self._accepted(transport, offer):
                    return []
                offered.add(blob)
        raise self._all_refused(methods)

    def _required_methods(self, transport: Any) -> list[str]:
        """Returns the methods that the server requires; empty when it requires none."""
        try:
            further: list[str] = transport.auth_none(self._hop.user)
        except paramiko.BadAuthenticationType as answer:
            return list(answer.allowed_types)
        return further

    def _accepted(self, transport: Any, offer: _Offer) -> bool:
        name = f"{offer.source} ({fingerprint(offer.key.get_name(), offer.key.asbytes())})"
        try:
            further = transport.auth_publickey(self._hop.user, offer.key)
        except Exception as error:  # A key that the agent cannot use must not hide the next one.
            self._refused.append(name)
            if not transport.is_active():
                raise self._disconnected() from error
            return False
        if further:
            raise self._more_required(name, further)
        return True

    def _offers(self, agent_keys: list[_Offer]) -> Iterator[_Offer]:
        """Yields the keys to try, named files before the rest of the agent: a server accepts only a few
        attempts."""
        named = {blob for path in self._paths for blob in _public_blobs(path)}
        others = [] if self._hop.identities_only else agent_keys
        yield from (offer for offer in agent_keys if offer.key.asbytes() in named)
        if self._hop.identities is None:
            yield from others
        for path in self._paths:
            yield from self._from_file(path, {offer.key.asbytes() for offer in agent_keys})
        yield from others

    def _from_file(self, path: Path, agent_blobs: set[bytes]) -> Iterator[_Offer]:
        try:
            yield _Offer(paramiko.PKey.from_path(path), str(path))
        except FileNotFoundError:
            self._unusable.append(f"{path} does not exist")
        except Exception as error:  # A dozen kinds of errors; one bad file must not hide the next.
            if agent_blobs.intersection(_public_blobs(path)):
                return
            if isinstance(error, TypeError):  # cryptography raises it where a passphrase is missing.
                self._encrypted.append(path)
            else:
                self._unusable.append(f"{path} is not a usable private key: {error}")

    def _all_refused(self, methods: list[str]) -> Unreachable:
        hop = self._hop
        tried = "refused keys: " + ", ".join(self._refused) if self._refused else "no key was found"
        encrypted = [f"{path} is encrypted and not in an agent" for path in self._encrypted]
        accepts = [] if "publickey" in methods else [f"the server accepts only {', '.join(methods)}"]
        cause = "; ".join([f"the login of {hop.user} was refused", tried, *encrypted, *self._unusable, *accepts])
        return hop.unreachable(cause, self._cure())

    def _cure(self) -> str:
        hop = self._hop
        if self._encrypted:
            return f"ssh-add {self._encrypted[0]}"
        if not self._refused:
            return f"name a key in the inventory (identity_file) or start an agent; try: {hop.ssh('true')}"
        put = f"add the public key to ~{hop.user}/.ssh/authorized_keys there, or correct the user"
        return f"{put}; try: {hop.ssh('true')}"

    def _disconnected(self) -> Unreachable:
        cause = (
            f"the server closed the connection after these keys of {self._hop.user}: {', '.join(self._refused)}"
        )
        cure = "the server accepts only a few attempts: name the right key (identity_file)"
        return self._hop.unreachable(cause, f"{cure}; try: {self._hop.ssh('true')}")

    def _more_required(self, name: str, further: list[str]) -> Unreachable:
        cause = f"{name} was accepted, but the server also requires {' and '.join(further)}"
        return self._hop.unreachable(
            cause, "use an account that needs only a key: this program never asks for a password"
        )


class _Agent:
    """The SSH agent, or none: an agent that does not answer counts as none."""

    def __init__(self) -> None:
        try:
            self._agent = paramiko.Agent()
        except (paramiko.SSHException, OSError):
            self._agent = None

    def keys(self) -> list[_Offer]:
        keys = self._agent.get_keys() if self._agent else ()
        return [_Offer(key, f"{key.comment or 'a key'} of the agent") for key in keys]

    def close(self) -> None:
        if self._agent:
            self._agent.close()


def _default_paths() -> tuple[Path, ...]:
    paths = (Path("~/.ssh").expanduser() / name for name in _DEFAULT_NAMES)
    return tuple(path for path in paths if path.exists())


def _public_blobs(path: Path) -> Iterator[bytes]:
    """Yields the public key in `path` or beside it: an agent may hold the private key."""
    for file in (path, path.with_name(path.name + ".pub")):
        with contextlib.suppress(OSError, binascii.Error, ValueError):
            words = file.read_text(errors="replace").split(maxsplit=2)
            if len(words) > 1 and words[0].startswith(("ssh-", "ecdsa-", "sk-")):
                yield base64.b64decode(words[1], validate=True)
