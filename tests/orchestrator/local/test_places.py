"""Where something of a cluster may be, as this machine remembers it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import UsageError
from cluster.inventory import alone
from orchestrator.local import places
from tests.cluster.builders import inventory

HOSTS = tuple(alone(inventory(), name) for name in ("gpu-a", "gpu-b"))


def test_what_was_kept_is_known(tmp_path: Path) -> None:
    assert places.known(tmp_path, "demo") == ()
    places.keep(tmp_path, "demo", HOSTS)
    assert places.known(tmp_path, "demo") == HOSTS
    assert places.path(tmp_path, "demo").parent.stat().st_mode & 0o777 == 0o700
    places.forget(tmp_path, "demo")
    assert places.known(tmp_path, "demo") == ()
    places.forget(tmp_path, "demo")


def test_a_machine_that_cannot_remember_knows_none() -> None:
    assert places.known(Path("/dev/null"), "demo") == ()


@pytest.mark.parametrize("left", [b"", b"[{", b"null", b'[{"cluster": "demo"}]', b"\xff"])
def test_a_torn_file_is_explained(tmp_path: Path, left: bytes) -> None:
    places.keep(tmp_path, "demo", HOSTS)
    where = places.path(tmp_path, "demo")
    where.write_bytes(left)
    with pytest.raises(UsageError, match="of the hosts of demo cannot be read") as caught:
        places.known(tmp_path, "demo")
    assert f"remove {where}" in caught.value.cure
