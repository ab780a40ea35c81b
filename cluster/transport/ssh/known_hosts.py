"""The known host keys.

They are read here and not by paramiko. It ignores wildcards, revoked keys and a second key of one type, and asks
the server only for the type of the first line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.errors import Unreachable
from cluster.transport.ssh.hop import Hop

#: The signatures that a server with a key of this type may make.
_RSA_ALGORITHMS = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


@dataclass(frozen=True)
class KnownKey:
    """A line of a known_hosts file about the host; `where` is FILE:LINE."""

    type: str
    blob: bytes
    revoked: bool
    where: str


def fingerprint(type: str, blob: bytes) -> str:
    """Returns the fingerprint as OpenSSH shows it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"{type} SHA256:{digest}"


class StrictPolicy:
    """Rejects unknown host keys. It checks every key, because paramiko gets none to compare with."""

    def __init__(self, hop: Hop) -> None:
        self._hop = hop
        self._known = list(_known_keys(hop))

    def preferred(self, algorithms: Iterable[str]) -> list[str]:
        """Puts the types of the known keys first, so that the server shows one of these."""
        types = {key.type for key in self._known if not key.revoked}
        types |= set(_RSA_ALGORITHMS) if "ssh-rsa" in types else set()
        known = [name for name in algorithms if name in types]
        return known + [name for name in algorithms if name not in known]

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        blob = key.asbytes()
        offered = fingerprint(key.get_name(), blob)
        matching = [known for known in self._known if known.blob == blob]
        if revoked := [known for known in matching if known.revoked]:
            raise self._revoked(offered, revoked[0])
        if matching:
            return
        raise self._changed(offered) if any(not k.revoked for k in self._known) else self._unknown(offered)

    def _revoked(self, offered: str, known: KnownKey) -> Unreachable:
        cause = f"the host key is revoked: {offered}, by {known.where}"
        return self._hop.unreachable(cause, f"ask the administrator of {self._hop.address} for its new host key")

    def _unknown(self, offered: str) -> Unreachable:
        hop = self._hop
        cause = f"host key unknown: {hop.known_as} offers {offered}, but {_known_hosts_file(hop)} has no key of it"
        compare = "compare with `ssh-keygen -lf /etc/ssh/ssh_host_..._key.pub` on the host itself"
        return hop.unreachable(cause, f"{compare}, then: {_accept(hop)}")

    def _changed(self, offered: str) -> Unreachable:
        hop = self._hop
        known = [key for key in self._known if not key.revoked]
        listed = ", ".join(f"{fingerprint(key.type, key.blob)} ({key.where})" for key in known)
        forget = shlex.join(("ssh-keygen", "-R", hop.known_as, "-f", known[0].where.rpartition(":")[0]))
        cause = f"host key changed: {hop.known_as} offers {offered}, but {listed} is known"
        cure = "the host was reinstalled, or an attacker intercepts the connection: find out which; "
        return hop.unreachable(cause, f"{cure}if it was reinstalled: {forget} && {_accept(hop)}")


def _known_hosts_file(hop: Hop) -> str:
    return str(hop.known_hosts[0]) if hop.known_hosts else "known_hosts"


def _accept(hop: Hop) -> str:
    if hop.proxy_command or hop.key_alias:
        return hop.ssh("-o", "StrictHostKeyChecking=ask", "true")
    scan = f"ssh-keyscan -p {hop.port} {hop.address}"
    # The jump host asks for it: `ssh -J` would look for the jump host's own key in another file than we do.
    return f"{hop.gateway.ssh(scan) if hop.gateway else scan} >> {shlex.quote(_known_hosts_file(hop))}"


def _known_keys(hop: Hop) -> Iterator[KnownKey]:
    """Yields the keys of the hop. Like OpenSSH, it takes those without the port where none has the port."""
    for name in dict.fromkeys((hop.known_as, hop.key_alias or hop.address)):
        keys = [key for file in hop.known_hosts for key in _keys_in(file, name.lower())]
        yield from keys
        if any(not key.revoked for key in keys):
            return


def _keys_in(file: Path, name: str) -> Iterator[KnownKey]:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        fields = line.split()
        revoked = bool(fields) and fields[0] == "@revoked"
        patterns, type, key = (fields[revoked:] + [""] * 3)[:3]
        if key and _matches(patterns, name) and (blob := _decoded(key)):
            yield KnownKey(type, blob, revoked, f"{file}:{number}")


def _matches(patterns: str, name: str) -> bool:
    """Returns whether the first field of a line, hashed or not, matches `name`."""
    if patterns.startswith("|1|"):
        _, _, salt, digest = (patterns + "||").split("|")[:4]
        computed = hmac.new(_decoded(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(computed, _decoded(digest))
    words = patterns.lower().split(",")
    if any(word.startswith("!") and _fits(word[1:], name) for word in words):
        return False
    return any(_fits(word, name) for word in words)


def _fits(pattern: str, name: str) -> bool:
    special = {"*": ".*", "?": "."}
    return bool(re.fullmatch("".join(special.get(c, re.escape(c)) for c in pattern), name))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
