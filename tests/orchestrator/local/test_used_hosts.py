"""Where something of a cluster may be, as this machine remembers it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.errors import UsageError
from cluster.inventory import single_host
from orchestrator.local import used_hosts
from tests.cluster.builders import inventory

HOSTS = tuple(single_host(inventory(), name) for name in ("gpu-a", "gpu-b"))


def test_what_was_kept_is_known(tmp_path: Path) -> None:
    assert used_hosts.known(tmp_path, "demo") == ()
    used_hosts.keep(tmp_path, "demo", HOSTS)
    assert used_hosts.known(tmp_path, "demo") == HOSTS
    path = used_hosts.path(tmp_path, "demo")
    assert [one.stat().st_mode & 0o777 for one in (path.parent, path)] == [0o700, 0o600]
    used_hosts.forget(tmp_path, "demo")
    assert used_hosts.known(tmp_path, "demo") == ()
    used_hosts.forget(tmp_path, "demo")


def test_a_machine_that_cannot_remember_knows_none() -> None:
    assert used_hosts.known(Path("/dev/null"), "demo") == ()


@pytest.mark.parametrize("left", [b"", b"[{", b"null", b'[{"cluster": "demo"}]', b"\xff"])
def test_a_torn_file_is_explained(tmp_path: Path, left: bytes) -> None:
    used_hosts.keep(tmp_path, "demo", HOSTS)
    where = used_hosts.path(tmp_path, "demo")
    where.write_bytes(left)
    with pytest.raises(UsageError, match="list of hosts of demo cannot be read") as caught:
        used_hosts.known(tmp_path, "demo")
    assert f"remove {where}" in caught.value.cure


@pytest.mark.parametrize(
    ("mode", "user", "cause", "cure"),
    [
        (0o777, 0, "other users may write in its folder", "chmod go-w"),
        (0o700, 1, "its folder belongs to the user ", "set ORCHESTRATOR_STATE to a folder of your own"),
    ],
)
def test_a_folder_that_is_not_private_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, user: int, cause: str, cure: str
) -> None:
    folder = used_hosts.path(tmp_path, "demo").parent
    used_hosts.keep(tmp_path, "demo", HOSTS)
    folder.chmod(mode)
    ours = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: ours + user)
    with pytest.raises(UsageError, match="list of hosts of demo cannot be read") as caught:
        used_hosts.known(tmp_path, "demo")
    assert cause in caught.value.cause
    assert "Errno" not in caught.value.cause
    assert cure in caught.value.cure
    assert str(folder) in caught.value.cure
