"""Three sshds for the tests of this folder, and a home without anybody's SSH files in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.transport.host import Host
from cluster.transport.ssh import connect
from tests.cluster.transport.ssh.sshd import MISSING, Sshd, make_key


@dataclass(frozen=True)
class Spec:
    """A login as the inventory has it."""

    address: str
    port: int | None = None
    user: str | None = None
    identity_file: Path | str | None = None
    jump: Spec | None = None
    name: str = "gpu-1"


@dataclass(frozen=True)
class SshServers:
    """Three sshds: with jumps, `far` is reached through `middle` alone, and `middle` through `near` alone."""

    folder: Path
    key: Path
    near: Sshd
    middle: Sshd
    far: Sshd

    @property
    def all(self) -> tuple[Sshd, ...]:
        return (self.near, self.middle, self.far)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServers]:
    if MISSING:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("ssh")
    key = make_key(folder / "key")
    far = Sshd(folder / "far", "127.0.0.4", [key], more="AllowTcpForwarding no")
    middle = Sshd(folder / "middle", "127.0.0.3", [key], more=f"PermitOpen {far.address}:{far.port} 127.0.0.4:1")
    near = Sshd(folder / "near", "127.0.0.2", [key], more=f"PermitOpen {middle.address}:{middle.port}")
    yield SshServers(folder, key, near, middle, far)
    for sshd in (near, middle, far):
        sshd.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of this test: no configuration of this machine counts."""
    (tmp_path / ".ssh").mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture
def known_hosts(servers: SshServers, home: Path) -> Path:
    """A file that knows all three."""
    path = home / "known_hosts"
    path.write_text("".join(sshd.known_lines() for sshd in servers.all))
    return path


MakeSshd = Callable[..., Sshd]
MakeHost = Callable[..., Host]


@pytest.fixture
def make_sshd(servers: SshServers, home: Path, known_hosts: Path) -> Iterator[MakeSshd]:
    """Starts an sshd that a test has to itself, known to `known_hosts`; takes what `Sshd` takes."""
    sshds: list[Sshd] = []

    def start(lets_in: Path = servers.key, **options: Any) -> Sshd:
        sshds.append(Sshd(home / f"sshd{len(sshds)}", "127.0.0.5", [lets_in], **options))
        with known_hosts.open("a") as file:
            file.write(sshds[-1].known_lines())
        return sshds[-1]

    yield start
    for sshd in sshds:
        sshd.stop()


@pytest.fixture
def make_host(home: Path, known_hosts: Path) -> Iterator[MakeHost]:
    """Makes hosts that are closed after the test. `config` is the text of ~/.ssh/config."""
    hosts: list[Host] = []

    def make(spec: Spec, known: Path | None = known_hosts, config: str = "", patience: float = 5.0) -> Host:
        (home / ".ssh/config").write_text(config)
        hosts.append(Host(spec.name, connect(spec, known, patience)))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def host(servers: SshServers, make_host: MakeHost) -> Host:
    """The first of the three, without a jump."""
    return make_host(Spec(servers.near.address, servers.near.port, identity_file=servers.key))
