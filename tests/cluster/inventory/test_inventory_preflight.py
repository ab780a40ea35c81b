"""The section of an inventory that says what is accepted of the hosts and asked of them besides."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.inventories import SMALL, loaded


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
