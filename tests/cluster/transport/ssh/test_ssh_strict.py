"""Host keys of real sshds: who is not known is not spoken to, and what is advised lets them in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.transport.ssh.asking import port_reached, refusal, spec_of
from tests.cluster.transport.ssh.conftest import MakeHost, MakeSshd, SshServers
from tests.cluster.transport.ssh.sshd import fingerprint, make_key, public


def test_an_unknown_key_is_refused_with_the_command_that_accepts_it(
    servers: SshServers, make_host: MakeHost, home: Path
) -> None:
    known = home / "nobody known"
    spec = spec_of(servers.near, servers.key)
    error = refusal(make_host(spec, known=known))
    assert "host key unknown" in error.cause
    assert fingerprint(servers.near.host_keys[0]) in error.cause
    accept = re.search(r"ssh-keyscan -p .*", error.cure)
    assert accept
    subprocess.run(accept[0], shell=True, check=True, capture_output=True)
    assert port_reached(make_host(spec, known=known)) == servers.near.port


def test_an_unknown_key_behind_a_jump_is_accepted_with_its_help(
    servers: SshServers, make_host: MakeHost, home: Path
) -> None:
    known = home / "known"
    known.write_text(servers.near.known_lines())
    spec = spec_of(servers.middle, servers.key, spec_of(servers.near, servers.key))
    error = refusal(make_host(spec, known=known))
    assert fingerprint(servers.middle.host_keys[0]) in error.cause
    subprocess.run(error.cure.partition("then: ")[2], shell=True, check=True, capture_output=True)
    assert port_reached(make_host(spec, known=known)) == servers.middle.port


def test_each_jump_is_strict(servers: SshServers, make_host: MakeHost, home: Path) -> None:
    known = home / "known"
    known.write_text(servers.middle.known_lines())
    error = refusal(
        make_host(spec_of(servers.middle, servers.key, spec_of(servers.near, servers.key)), known=known)
    )
    assert f"its jump host root@{servers.near.address}" in str(error)
    assert "host key unknown" in error.cause


def test_a_changed_key_is_refused_until_it_is_forgotten(
    servers: SshServers, make_host: MakeHost, home: Path
) -> None:
    known, other = home / "known", make_key(home / "other")
    known.write_text(f"{servers.near.known_as} {public(other)}\n")
    spec = spec_of(servers.near, servers.key)
    error = refusal(make_host(spec, known=known))
    assert "host key changed" in error.cause
    assert fingerprint(other) in error.cause
    assert fingerprint(servers.near.host_keys[0]) in error.cause
    cure = re.search(r"ssh-keygen -R .*", error.cure)
    assert cure
    subprocess.run(cure[0], shell=True, check=True, capture_output=True)
    assert port_reached(make_host(spec, known=known)) == servers.near.port


@pytest.mark.parametrize("known_type", ["rsa", "ecdsa"])
def test_the_one_type_that_is_known_is_asked_for(
    servers: SshServers, make_host: MakeHost, make_sshd: MakeSshd, home: Path, known_type: str
) -> None:
    sshd = make_sshd(types=("ed25519", "ecdsa", "rsa"))
    key = next(key for key in sshd.host_keys if known_type in key.name)
    (home / "known").write_text(f"{sshd.known_as} {public(key)}\n")
    assert port_reached(make_host(spec_of(sshd, servers.key), known=home / "known")) == sshd.port
