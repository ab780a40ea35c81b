"""Every fault has hosts of its own; a run that is asked for it writes the page."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.exclusive_lock import Turns
from tests.scenarios.faults.case import HASTE, Case
from tests.scenarios.faults.parsed_report import Told
from tests.scenarios.faults.results import Results
from tests.scenarios.faults.table import Row
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

_RESULTS = pytest.StashKey[Results]()
_FAILED = pytest.StashKey[str]()
_TURNS = pytest.StashKey[Turns]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULTS] = Results(config.getoption("--rows"), config.getoption("--page"))
    config.stash[_TURNS] = Turns(config.getoption("--turns"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    if call.when == "call":
        item.stash[_FAILED] = " ".join(str(call.excinfo.value).split())[:200] if call.excinfo else ""
    return (yield)


@pytest.fixture
def engine() -> str:
    return "scripted"


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path, engine: str) -> Iterator[Case]:
    """Two hosts of one GPU. In the end `down` leaves nothing on those that are still there."""
    stash = request.config.stash
    stash[_TURNS].take()
    begun = time.monotonic()
    hosts = Hosts.up(f"fault{os.getpid()}", 2, 1, engine)
    hosts = hosts if engine == "vllm" else hosts.without_trial()
    group, fault = _words(request)
    operator = Operator(tmp_path / "state", HASTE)
    one = Case(group, fault, hosts, operator)
    try:
        yield one
        down = operator.run("down", hosts.inventory, "--output", "plain")
        left = one.left()
        failed = request.node.stash.get(_FAILED, "it was not run to its end")
        stash[_RESULTS].add(request.node.nodeid, _rows(one, left, failed, time.monotonic() - begun))
        assert down.returncode == (7 if one.lost else 0), down.stderr
        assert not left
    finally:
        hosts.down()


def _words(request: pytest.FixtureRequest) -> tuple[str, str]:
    """What the page says: the module is a group, the function a fault."""
    params: dict[str, Any] = getattr(getattr(request.node, "callspec", None), "params", {})
    group, fault = ((one.__doc__ or "").strip().splitlines()[0] for one in (request.module, request.function))
    return group.rstrip("."), fault.rstrip(".").format(**params)


def _rows(one: Case, left: str, failed: str, took: float) -> list[Row]:
    rows = one.rows or [Row(one.group, one.fault, Told("–", "–", "–"), None, "")]
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    last = replace(rows[-1], left=left, failed=failed, took=took, at=at)
    return [*(replace(row, left=left, at=at) for row in rows[:-1]), last]
