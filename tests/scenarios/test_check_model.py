"""A model that is not whole, or not the same, on one host: `check` says exactly that, of that host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.test_check_machine import check, only

pytestmark = pytest.mark.scenario

_SHARD = "model-00003-of-00005.safetensors"

#: Name of the check, what breaks the model in its folder on node1, and a word of what is found.
_BROKEN = {
    "a missing shard": ("model", f"rm {_SHARD}", f"lacks {_SHARD}"),
    "an empty shard": ("model", f": > {_SHARD}", f"holds empty files: {_SHARD}"),
    "an empty config.json": ("model", ": > config.json", "holds empty files: config.json"),
    "no config.json": ("model", "rm config.json", "lacks config.json"),
    "half an index": ("model", "truncate -s 100 *.index.json", "index.json cannot be read"),
    "a shard of another size": ("model-equal", f"truncate -s 1000000 {_SHARD}", f"{_SHARD} (1000000 bytes, not "),
    "other remote code": ("model-equal", "echo '#' >> configuration_ernie_vl.py", "configuration_ernie_vl.py"),
}  # fmt: skip
#: With transformers as well, which is most of the work of a check: it must not say the same once more.
_TRIED = ("no config.json", "other remote code")


@pytest.fixture
def folder(untouched: Hosts) -> Iterator[str]:
    """The model's folder on node1, as it was again afterwards."""
    path = str(yaml.safe_load(untouched.inventory.read_text())["model"]["id"])
    untouched.run("node1", "cp", "-a", path, "/run/model")
    yield path
    untouched.run("node1", "sh", "-c", 'rm -rf "$1" && mv /run/model "$1"', "sh", path)


@pytest.mark.parametrize("how", _BROKEN)
def test_broken_in_one_way(untouched: Hosts, operator: Operator, folder: str, how: str) -> None:
    name, breaks, words = _BROKEN[how]
    hosts = untouched if how in _TRIED else untouched.without_trial()
    hosts.run("node1", "sh", "-c", f"cd {folder} && {breaks}")
    found = only(check(operator, hosts.inventory), name)
    assert found["severity"] == "blocking"
    assert words in found["found"]
    assert "node1" in found["cure"] or "node0" in found["cure"]


def test_files_for_people_may_differ(untouched: Hosts, operator: Operator, folder: str) -> None:
    untouched.run("node1", "sh", "-c", f"cd {folder} && echo >> README.md && echo >> .gitattributes")
    assert check(operator, untouched.inventory) == []


@pytest.fixture
def cached(untouched: Hosts, folder: str, tmp_path: Path) -> Iterator[Path]:
    """The model is to be fetched: node0 has it in its cache, node1 has a small disk there, and nothing on it."""
    snapshot = "/srv/hub/models--org--tiny/snapshots/main"
    untouched.run("node0", "sh", "-c", f"mkdir -p $(dirname {snapshot}) && ln -s {folder} {snapshot}")
    untouched.run("node1", "sh", "-c", "mkdir -p /srv/hub && mount -t tmpfs -o size=10m none /srv/hub")

    def change(one: dict[str, Any]) -> None:
        one["model"] = {"id": "org/tiny", "served_name": "tiny", "download": True}
        one["environment"]["HF_HUB_CACHE"] = "/srv/hub"

    yield untouched.edited(tmp_path / "cached.yaml", change)
    untouched.run("node1", "sh", "-c", "umount /srv/hub")
    for host in ("node0", "node1"):
        untouched.run(host, "rm", "-r", "/srv/hub")


def test_no_room_for_a_download(operator: Operator, cached: Path) -> None:
    findings = check(operator, cached)
    assert [(one["name"], one["host"], one["severity"]) for one in findings] == [
        ("model", "node1", "warning"),
        ("model-space", "node1", "blocking"),
    ], findings
    assert "at /srv/hub" in findings[1]["found"]


def test_bytes_that_only_hashes_show(untouched: Hosts, operator: Operator, folder: str) -> None:
    """The size is the same: a `check` without hashes passes it."""
    inventory = untouched.without_trial().inventory
    breaks = f"printf x | dd of={_SHARD} bs=1 seek=99999 conv=notrunc"
    untouched.run("node1", "sh", "-c", f"cd {folder} && {breaks}")
    assert check(operator, inventory) == []
    found = only(check(operator, inventory, "--deep"), "model-hashes")
    assert found["found"].startswith(f"{_SHARD} (")
