"""Files that are no inventory at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.errors import InventoryError
from cluster.inventory import load
from tests.cluster.inventories import SMALL, edited, problems

WHOLE = [
    (b"", "the file is empty"),
    (b"\n# nothing\n", "the file is empty"),
    (b"---\n", "the file is empty"),
    (b"- a\n- b\n", "1: expected a mapping (key: value)"),
    (b"\n\ntext\n", "3: expected a mapping (key: value)"),
    (b"\x7fELF\x02\x01\x01\x00", "1: this is not YAML: it contains a control character"),
    (b"a: b\nc: \xff\xfe\n", "2: this is not text in UTF-8"),
    (SMALL.encode("utf-16"), "1: this is not text in UTF-8"),
    (b"#" * 300_000, "larger than 256 KiB: this is not an inventory"),
]


@pytest.mark.parametrize(("content", "problem"), WHOLE)
def test_a_file_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    assert problems(tmp_path, content) == [problem]


@pytest.mark.parametrize(("name", "reason"), [("none", "no such file"), (".", "this is a folder, not a file")])
def test_a_path_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InventoryError) as caught:
        load(tmp_path / name, {})
    assert caught.value.problems == (f"{tmp_path / name}: {reason}",)
    assert caught.value.cure == "check the path"


def test_a_path_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        load(tmp_path / ("a" * 300), {})
    assert caught.value.problems[0].endswith("cannot be read: File name too long")
    assert caught.value.cure == "check the path and your permission to read the file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").touch(0o000)
    with pytest.raises(InventoryError, match=r"cannot be read: Permission denied$"):
        load(tmp_path / "inventory.yaml", {})


def test_all_problems_come_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = edited(("gpus: 8", "gpus: 0"), ("address: 10.0.0.2", "adress: 10.0.0.2"), ("venv", "vnev"))
    assert problems(tmp_path, text + "cluster: b\nknown_hosts: ${UNSET}\n") == [
        "3: defaults.gpus: must be at least 1",
        '9: hosts[1].adress: unknown key (did you mean "address"?)',
        '16: runtime.vnev: unknown key (did you mean "venv"?)',
        '17: the key "cluster" is here a second time (first on line 1)',
        "18: known_hosts: the environment variable UNSET is not set",
    ]
