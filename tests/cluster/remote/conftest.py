"""Orphans of what runs here come to the tests, and no test leaves a process."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.remote.cell import Cell, collect

_PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture(scope="package", autouse=True)
def orphans_come_here() -> Iterator[None]:
    """Nobody collects zombies under the first process of many containers."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    one = Cell(tmp_path)
    yield one
    one.clean()
    collect()
