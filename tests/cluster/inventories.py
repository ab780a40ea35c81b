"""A small inventory, and what tests do with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster.errors import InventoryError
from cluster.inventory import Inventory, load

REFERENCE = Path(__file__).parents[2] / "inventory.yaml"

SMALL = """\
cluster: demo
defaults:
  gpus: 8
hosts:
  - name: gpu-a
    address: 10.0.0.1
    role: head
  - name: gpu-b
    address: 10.0.0.2
    role: worker
model:
  id: baidu/ERNIE-4.5-VL-424B-A47B-PT
serve:
  tensor_parallel_size: 16
runtime:
  venv: /opt/vllm
"""

ENVIRON = {"HOME": "/nowhere", "EMPTY": "", "SPACED": "sk secret", "SECRET": "sk-secret"}


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Inventory:
    path = folder / "inventory.yaml"
    path.write_text(text)
    return load(path, environ or {})


def edited(*edits: tuple[str, str]) -> str:
    """SMALL with something else in place of something that stands in it once."""
    text = SMALL
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def with_lines(anchor: str, *lines: str) -> str:
    """SMALL with lines put in after the one that is `anchor`."""
    return edited((f"{anchor}\n", "\n".join((anchor, *lines, ""))))


def uncommented() -> str:
    """The reference with the "#" before every key taken away."""
    return re.sub(r"(?m)^( *)# ([a-z_]+:( .*)?)$", r"\1\2", REFERENCE.read_text())


def problems(folder: Path, text: str | bytes) -> list[str]:
    """What is said of a file with this text, without its name, which each problem must begin with."""
    path = folder / "inventory.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InventoryError) as caught:
        load(path, ENVIRON)
    assert all(problem.startswith(f"{path}:") for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}:").strip() for problem in caught.value.problems]
