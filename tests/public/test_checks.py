"""Names of checks, as `--skip` and `accept:` take them, and their concerns; names of what `plan` finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from cluster.preflight.report import ALL
from cluster.values.checks import CHECKS, concern_of
from tests.command_lines import asked
from tests.public.golden import holds, recorded
from tests.public.whole import Whole

ROOT = Path(__file__).parents[2]


def test_checks_and_concerns() -> None:
    holds("checks", {name: concern_of(name) for name in CHECKS})


def test_each_can_be_skipped() -> None:
    names = list(recorded("checks"))
    assert asked(["check", *chain.from_iterable(("--skip", name) for name in names)])["skip"] == names


def test_those_that_a_check_names(whole: Whole) -> None:
    (report,) = whole.documents["check"]
    named = [
        *report["passed"],
        *report["untried"],
        *report["skipped"],
        *(one["name"] for one in report["findings"]),
    ]
    assert set(recorded("checks")) <= set(named)


def names_of_findings() -> Iterator[str]:
    """Yields the names that checks give their findings, and those written out where `plan` makes one."""
    yield from (check.name for check in ALL)
    for path in (ROOT / "cluster").rglob("*.py"):
        yield from re.findall(r"\bFinding\(\s*\"([a-z-]+)\"", path.read_text())


def test_findings_of_plans_and_checks() -> None:
    holds("findings", {"names": sorted(set(names_of_findings()))})
