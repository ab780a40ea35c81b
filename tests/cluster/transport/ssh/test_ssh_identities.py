"""Keys in files and in an agent, at real sshds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.transport.ssh.asking import port_reached, refusal, spec_of
from tests.cluster.transport.ssh.conftest import MakeHost, MakeSshd, SshServers
from tests.cluster.transport.ssh.sshd import fingerprint, make_key


def test_a_key_that_is_not_let_in_is_named(servers: SshServers, make_host: MakeHost, home: Path) -> None:
    wrong = make_key(home / "wrong")
    error = refusal(make_host(spec_of(servers.near, wrong)))
    assert f"the login of root was refused; refused keys: {wrong}" in error.cause
    assert fingerprint(wrong) in error.cause
    assert f"ssh -p {servers.near.port} -i {wrong}" in error.cure


def test_no_key_at_all(servers: SshServers, make_host: MakeHost) -> None:
    assert "no key was found" in refusal(make_host(spec_of(servers.near, None))).cause


def test_a_key_that_does_not_exist(servers: SshServers, make_host: MakeHost, home: Path) -> None:
    assert f"{home}/none does not exist" in refusal(make_host(spec_of(servers.near, home / "none"))).cause


def test_the_usual_files_are_used(servers: SshServers, make_host: MakeHost, home: Path) -> None:
    for suffix in ("", ".pub"):
        (home / f".ssh/id_ed25519{suffix}").write_text(Path(f"{servers.key}{suffix}").read_text())
    assert port_reached(make_host(spec_of(servers.near, None))) == servers.near.port


@pytest.fixture
def agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    words = ("ssh-agent", "-D", "-a", str(home / "agent"))
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout:
        process.stdout.readline()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
    yield
    process.terminate()
    process.wait()


@pytest.mark.usefixtures("agent")
def test_an_encrypted_key_needs_the_agent(home: Path, make_host: MakeHost, make_sshd: MakeSshd) -> None:
    """Eight keys of the agent come first in line at a server that lets us try six."""
    encrypted = make_key(home / "encrypted", passphrase="a passphrase")
    sshd = make_sshd(lets_in=encrypted)
    error = refusal(make_host(spec_of(sshd, encrypted)))
    assert f"{encrypted} is encrypted and not in an agent" in error.cause
    assert error.cure == f"ssh-add {encrypted}"
    for number in range(8):
        subprocess.run(["ssh-add", "-q", str(make_key(home / f"k{number}"))], check=True)
    assert "the server accepts only a few attempts" in refusal(make_host(spec_of(sshd, encrypted))).cure
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "a passphrase", "-N", "", "-f", str(encrypted)], check=True)
    subprocess.run(["ssh-add", "-q", str(encrypted)], check=True)
    encrypted.unlink()
    assert port_reached(make_host(spec_of(sshd, encrypted))) == sshd.port


@pytest.mark.parametrize(
    ("wanted", "cause"),
    [
        ("AuthenticationMethods publickey,password", "was accepted, but the server also requires password"),
        ("PubkeyAuthentication no", "the server accepts only password"),
    ],
)
def test_a_server_that_wants_a_password(
    servers: SshServers, make_host: MakeHost, make_sshd: MakeSshd, wanted: str, cause: str
) -> None:
    sshd = make_sshd(passwords=True, more=wanted)
    assert cause in refusal(make_host(spec_of(sshd, servers.key))).cause
