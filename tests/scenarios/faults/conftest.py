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

from tests.scenarios.exclusive_lock import ExclusiveLock
from tests.scenarios.faults.case import SHORT_TIMEOUTS, Case
from tests.scenarios.faults.parsed_report import ParsedReport
from tests.scenarios.faults.results import Results
from tests.scenarios.faults.table import Row
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

_RESULTS = pytest.StashKey[Results]()
_FAILED = pytest.StashKey[str]()
_LOCK = pytest.StashKey[ExclusiveLock]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULTS] = Results(config.getoption("--rows"), config.getoption("--page"))
    config.stash[_LOCK] = ExclusiveLock(config.getoption("--turns"))


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
    """Two hosts of one GPU. In the end `down` leaves nothing on the hosts that are not lost."""
    stash = request.config.stash
    stash[_LOCK].renew()
    start = time.monotonic()
    hosts = Hosts.up(f"fault{os.getpid()}", 2, 1, engine)
    hosts = hosts if engine == "vllm" else hosts.without_trial()
    group, fault = _texts(request)
    operator = Operator(tmp_path / "state", SHORT_TIMEOUTS)
    fault_case = Case(group, fault, hosts, operator)
    try:
        yield fault_case
        down = operator.run("down", hosts.inventory, "--output", "plain")
        left = fault_case.left()
        failed = request.node.stash.get(_FAILED, "it was not run to its end")
        stash[_RESULTS].add(request.node.nodeid, _rows(fault_case, left, failed, time.monotonic() - start))
        assert down.returncode == (7 if fault_case.lost else 0), down.stderr
        assert not left
    finally:
        hosts.down()


def _texts(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Returns the texts for the page: the module is a group, the function a fault."""
    params: dict[str, Any] = getattr(getattr(request.node, "callspec", None), "params", {})
    group, fault = ((item.__doc__ or "").strip().splitlines()[0] for item in (request.module, request.function))
    return group.rstrip("."), fault.rstrip(".").format(**params)


def _rows(case: Case, left: str, failed: str, took: float) -> list[Row]:
    rows = case.rows or [Row(case.group, case.fault, ParsedReport("–", "–", "–"), None, "")]
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    last = replace(rows[-1], left=left, failed=failed, took=took, at=at)
    return [*(replace(row, left=left, at=at) for row in rows[:-1]), last]
