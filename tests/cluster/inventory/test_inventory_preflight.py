"""The section of an inventory that says what is accepted of the hosts and asked of them besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.inventories import SMALL, loaded, problems


def written(*lines: str) -> str:
    return "\n".join((SMALL.rstrip(), "preflight:", *lines, ""))


def test_what_is_accepted_and_asked(tmp_path: Path) -> None:
    text = written("  accept: [{check: mtu, reason: old switch}]", "  fabric: {min_gb_per_second: 20}")
    one = loaded(tmp_path, text).preflight
    assert [(each.check, each.reason, each.hosts) for each in one.accept] == [("mtu", "old switch", ())]
    assert one.fabric
    assert one.fabric.min_gb_per_second == 20


def test_an_empty_section_asks_for_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, written("  # all of it is commented out")).preflight.accept == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  accept: [{check: mut, reason: old}]", "is no check (did you mean mtu?)"),
        ("  accept: [{check: MTU, reason: old}]", "is no check (did you mean mtu?)"),
        ("  accept: [{check: mtu, reason: ' '}]", "is empty"),
        ("  accept: [{check: mtu}]", "reason"),
        ("  accept: [{check: mtu, reason: old, hosts: [nobody]}]", "is no host of this cluster"),
        ("  fabric: {min_gb_per_second: 0}", "min_gb_per_second"),
        ("  fabric: {min_gb_per_second: .inf}", "min_gb_per_second"),
        ("  acept: []", "acept"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, line: str, said: str) -> None:
    (problem,) = problems(tmp_path, written(line))
    assert said in problem
