"""Another user of a host has put a folder by our name there, before the first `up` or after a `down`."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario

_SECRET = "aws_session = mySessionWithoutAKnownShape"
_THEIRS = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c"


@pytest.fixture
def folder(untouched: Hosts) -> Iterator[str]:
    """Our folder on node1, in one of nobody's, with links to what is the operator's alone."""
    cluster = yaml.safe_load(untouched.inventory.read_text())["cluster"]
    name = hashlib.sha256(f"{cluster}/node1".encode()).hexdigest()[:8]
    victim = f"mkdir -m 700 /var/tmp/victim && echo '{_SECRET}' > /var/tmp/victim/log"
    plant = f'{_THEIRS} "mkdir /var/tmp/o-0 && ln -s /var/tmp/victim /var/tmp/o-0/{name}"'
    untouched.run("node1", "rm", "-rf", "/var/tmp/o-0")  # compile caches, where a cluster served before
    untouched.run("node1", "sh", "-c", f"{victim} && {plant} && ln -s . /var/tmp/victim/ray")
    yield name
    untouched.run("node1", "rm", "-r", "/var/tmp/victim", "/var/tmp/o-0")


def test_nothing_that_is_not_ours_is_touched(
    untouched: Hosts, operator: Operator, folder: str, tmp_path: Path
) -> None:
    """Each command tells of it, and the operator's own file is neither shown nor removed."""
    untouched = untouched.without_trial()
    down = operator.run("down", untouched.inventory, "--output", "json")
    told = json.loads(down.stdout)
    assert down.returncode == 7
    (left,) = told["leftovers"]
    assert left["host"] == "node1"
    assert "/var/tmp/o-0 is not private to this user: it belongs to user nobody" in left["what"]
    assert "rm -r -- /var/tmp/o-0" in left["cure"]
    assert untouched.run("node1", "cat", "/var/tmp/victim/log").strip() == _SECRET

    up = operator.run("up", untouched.inventory, "--output", "json")
    assert (up.returncode, [one["name"] for one in json.loads(up.stdout)["findings"]]) == (3, ["state-directory"])
    status = operator.run("status", untouched.inventory, "--output", "json")
    (host,) = [one for one in json.loads(status.stdout)["hosts"] if one["host"] == "node1"]
    assert "belongs to user nobody" in host["problem"]
    assert "rm -r -- /var/tmp/o-0" in host["cure"]

    logs = operator.run("logs", untouched.inventory, "node1", "--unit", "ray")
    assert (logs.returncode, logs.stdout) == (5, "")
    assert "belongs to user nobody" in logs.stderr
    bundle = tmp_path / "bundle.tar.gz"
    diagnosed = operator.run("diagnose", untouched.inventory, "--to", bundle)
    assert diagnosed.returncode == 5
    assert "belongs to user nobody" in diagnosed.stdout + diagnosed.stderr
    with tarfile.open(bundle) as archive:
        names = [member.name for member in archive]
        assert not any(name.endswith("node1/ray/log") for name in names), names
    assert all(_SECRET not in done.stdout + done.stderr for done in (down, up, status, logs, diagnosed))
