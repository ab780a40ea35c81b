"""What one check finds on one host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cluster.inventory import HostSpec, Inventory
from cluster.values import Facts, Finding
from tests.cluster.builders import facts, inventory

Check = Callable[[Inventory, HostSpec, Facts], Iterator[Finding]]
Several = Callable[[dict[str, Facts]], Iterator[Finding]]


def found_on_head(check: Check, seen: dict[str, Any], one: Inventory | None = None) -> list[tuple[str, str]]:
    """Severity and what was found, on the head of `one` where `seen` goes over its facts."""
    one = one or inventory()
    return [(finding.severity, finding.found) for finding in check(one, one.head, facts(one.head, **seen))]


def differing(check: Several, *each: dict[str, Any]) -> list[tuple[str, str]]:
    """Host and what was found, where `each` goes over the facts of one host after the other."""
    specs = inventory(len(each)).hosts
    seen = {spec.name: facts(spec, **changed) for spec, changed in zip(specs, each, strict=True)}
    return [(finding.host, finding.found) for finding in check(seen)]
