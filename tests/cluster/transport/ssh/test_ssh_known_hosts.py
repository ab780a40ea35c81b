"""Which host keys are let in, against files as OpenSSH writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import paramiko
import pytest

from cluster.errors import Unreachable
from cluster.transport.ssh.config import resolve
from cluster.transport.ssh.known_hosts import StrictPolicy
from tests.cluster.transport.ssh.conftest import Spec
from tests.cluster.transport.ssh.sshd import MISSING, fingerprint, make_key, public

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
ALGORITHMS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    types = {"mine": "ed25519", "other": "ed25519", "rsa": "rsa", "ecdsa": "ecdsa"}
    return {name: make_key(folder / name, type) for name, type in types.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def policy(file: Path, address: str = "gpu.example.com", port: int = 22, alias: str = "") -> StrictPolicy:
    config = file.with_name("config")
    config.write_text(f"Host *\n HostKeyAlias {alias}\n" if alias else "")
    return StrictPolicy(resolve(Spec(address, port, user="me"), file, config))


def offer(policy: StrictPolicy, key: Path) -> None:
    policy.missing_host_key(None, "", paramiko.PKey.from_path(key))


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("gpu.example.com {mine}", 22),
        ("gpu.example.com,10.0.0.1 {mine} a comment", 22),
        ("10.0.0.1,GPU.example.com {mine}", 22),
        ("*.example.com {mine}", 22),
        ("gpu?example.com {mine}", 22),
        ("[gpu.example.com]:2222 {mine}", 2222),
        ("[*.example.com]:2222 {mine}", 2222),
        ("gpu.example.com {mine}", 2222),
        ("gpu.example.com {other}\ngpu.example.com {mine}", 22),
        ("gpu.example.com {rsa}\ngpu.example.com {mine}", 22),
        ("# comment\n\nbroken\nother |1| x\n|1|x|y ssh-ed25519 z\ngpu.example.com {mine}", 22),
    ],
)
def test_known(file: Path, keys: dict[str, Path], line: str, port: int) -> None:
    file.write_text(line.format(**{name: public(key) for name, key in keys.items()}) + "\n")
    offer(policy(file, port=port), keys["mine"])


@pytest.mark.parametrize(
    ("line", "port", "cause"),
    [
        ("", 22, "unknown"),
        ("gpu2.example.com {mine}", 22, "unknown"),
        ("*.example.com,!gpu.example.com {mine}", 22, "unknown"),
        ("[gpu.example.com]:2222 {mine}", 22, "unknown"),
        ("@cert-authority *.example.com {mine}", 22, "unknown"),
        ("gpu.example.com {other}", 22, "changed"),
        ("gpu.example.com {rsa}", 22, "changed"),
        ("[gpu.example.com]:2222 {other}\ngpu.example.com {mine}", 2222, "changed"),
        ("@revoked * {mine}\ngpu.example.com {mine}", 22, "revoked"),
    ],
)
def test_not_known(file: Path, keys: dict[str, Path], line: str, port: int, cause: str) -> None:
    file.write_text(line.format(**{name: public(key) for name, key in keys.items()}) + "\n")
    with pytest.raises(Unreachable) as failure:
        offer(policy(file, port=port), keys["mine"])
    assert f"host key {cause}" in failure.value.cause.replace("is ", "")
    assert fingerprint(keys["mine"]) in failure.value.cause


@pytest.mark.parametrize("port", [22, 2222])
def test_hashed_by_openssh(file: Path, keys: dict[str, Path], port: int) -> None:
    name = "gpu.example.com" if port == 22 else f"[gpu.example.com]:{port}"
    file.write_text(f"{name} {public(keys['mine'])}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "gpu" not in file.read_text()
    offer(policy(file, port=port), keys["mine"])
    with pytest.raises(Unreachable):
        offer(policy(file, address="gpu2.example.com", port=port), keys["mine"])


def test_a_missing_file_knows_nobody(file: Path, keys: dict[str, Path]) -> None:
    with pytest.raises(Unreachable) as failure:
        offer(policy(file), keys["mine"])
    assert f"ssh-keyscan -p 22 gpu.example.com >> {file}" in failure.value.cure


def test_an_alias_is_looked_up_instead(file: Path, keys: dict[str, Path]) -> None:
    file.write_text(f"farm {public(keys['mine'])}\n")
    offer(policy(file, alias="farm"), keys["mine"])
    with pytest.raises(Unreachable) as failure:
        offer(policy(file, alias="other"), keys["mine"])
    assert "-o HostKeyAlias=other" in failure.value.cure


def test_a_changed_key_names_both_and_where_the_old_one_stands(file: Path, keys: dict[str, Path]) -> None:
    file.write_text(f"# first\n[gpu.example.com]:2222 {public(keys['other'])}\n")
    with pytest.raises(Unreachable) as failure:
        offer(policy(file, port=2222), keys["mine"])
    assert f"{fingerprint(keys['other'])} ({file}:2)" in failure.value.cause
    assert f"ssh-keygen -R '[gpu.example.com]:2222' -f {file}" in failure.value.cure


@pytest.mark.parametrize(
    ("known", "first"),
    [("ecdsa", ["ecdsa-sha2-nistp256"]), ("rsa", ["rsa-sha2-512", "rsa-sha2-256"]), ("mine", ["ssh-ed25519"])],
)
def test_the_server_is_asked_for_a_key_that_is_known(
    file: Path, keys: dict[str, Path], known: str, first: list[str]
) -> None:
    file.write_text(f"gpu.example.com {public(keys[known])}\n")
    preferred = policy(file).preferred(ALGORITHMS)
    assert preferred[: len(first)] == first
    assert sorted(preferred) == sorted(ALGORITHMS)
