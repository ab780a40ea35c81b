"""What the first words of `logs` and `exec` are: an inventory, or hosts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.cli.argument_types import inventory_and_hosts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cluster").write_text("cluster: demo\n")
    Path("gpu-a").mkdir()
    os.mkfifo("pipe")


@pytest.mark.parametrize(
    ("words", "inventory", "hosts"),
    [
        ((), None, ()),
        (("cluster", "gpu-a"), "cluster", ("gpu-a",)),
        (("pipe",), "pipe", ()),
        (("missing.yaml", "gpu-b"), "missing.yaml", ("gpu-b",)),
        (("missing.yml",), "missing.yml", ()),
        (("gpu-a", "cluster"), None, ("gpu-a", "cluster")),
        (("gpu-b",), None, ("gpu-b",)),
    ],
)
def test_a_file_or_its_name_is_the_inventory(
    words: tuple[str, ...], inventory: str | None, hosts: tuple[str, ...]
) -> None:
    assert inventory_and_hosts(words) == (Path(inventory) if inventory else None, hosts)
