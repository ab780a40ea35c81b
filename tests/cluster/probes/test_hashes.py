"""Hashes of real files, and what is made of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cluster.command import Command
from cluster.errors import CommandFailed
from cluster.preflight.check import Evidence
from cluster.preflight.report import report
from cluster.probes.active_checks import hashes
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from cluster.values.facts import ModelFiles
from cluster.views import TrialResults
from tests.cluster.builders import facts, inventory, seen
from tests.cluster.remote.local import VENV

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def test_files_that_ranks_read_are_hashed(tmp_path: Path) -> None:
    content = {"a.safetensors": b"w" * (9 << 20), "config.json": b"{}", "README.md": b"read me"}
    for name, content_of_file in content.items():
        (tmp_path / name).write_bytes(content_of_file)
    sizes = {name: len(content_of_file) for name, content_of_file in content.items()} | {"gone.json": 7}
    one = inventory(runtime={"venv": VENV})
    asked = hashes(one, facts(one.head, model=ModelFiles(path=str(tmp_path), sizes=sizes)))
    assert Host("gpu-a", LocalTransport()).attend(asked) == {
        "a.safetensors": hashlib.sha256(content["a.safetensors"]).hexdigest(),
        "config.json": hashlib.sha256(b"{}").hexdigest(),
        "gone.json": "cannot be read: No such file or directory",
    }


@pytest.mark.parametrize(
    ("each", "wrong"),
    [
        ([{"x": A, "y": B}, {"x": A, "y": B}], []),
        ([{"x": A, "y": B}, {"x": A, "y": C}], ["gpu-b"]),
        ([{"x": A}, {"x": B}, {"x": B}], ["gpu-a"]),
        ([{"x": A}, {"x": B}, {"x": C}], ["gpu-b", "gpu-c"]),
        ([{"x": A, "y": B}, {"x": A}], []),
        ([{}, {"x": A}], []),
    ],
)
def test_bytes_that_differ(each: list[dict[str, str]], wrong: list[str]) -> None:
    one = inventory(len(each))
    tried = {
        spec.name: TrialResults(spec.name, (), None, hashed) for spec, hashed in zip(one.hosts, each, strict=True)
    }
    result = report(one, Evidence(seen(one), tried))
    assert [(finding.name, finding.host) for finding in result.findings] == [
        ("model-hashes", host) for host in wrong
    ]


def test_without_deep_nothing_is_claimed() -> None:
    one = inventory()
    result = report(one, Evidence(seen(one), {spec.name: TrialResults(spec.name, ()) for spec in one.hosts}))
    assert "model-hashes" in result.untried
    assert "model-hashes" not in result.passed


def test_hashes_that_could_not_be_had_are_said() -> None:
    one = inventory()
    lost = CommandFailed("gpu-b", Command(("x",), "hash the model's files"), 1, "", "Killed")
    tried = {
        "gpu-a": TrialResults("gpu-a", (), None, {"x": A}),
        "gpu-b": TrialResults("gpu-b", (), hashes=lost),
    }
    (result,) = report(one, Evidence(seen(one), tried)).findings
    assert (result.name, result.host, result.severity) == ("model-hashes", "gpu-b", "unchecked")
