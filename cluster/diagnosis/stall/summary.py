"""What was found, in a person's words: which ranks are at what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cluster.diagnosis.stall.evidence import Rank, StallEvidence
from cluster.inventory import Inventory


def told(inventory: Inventory, found: StallEvidence) -> list[str]:
    """A line a host, or a few: which of its ranks are at what."""
    return [line for spec in inventory.hosts for line in _host_told(spec.name, found)]


def _host_told(host: str, found: StallEvidence) -> Iterator[str]:
    if host not in found.answered:
        yield f"{host}: did not answer"
        return
    places: dict[str, list[Rank]] = {}
    for one in found.ranks:
        if one.host == host:
            places.setdefault(one.where, []).append(one)
    if not places:
        yield f"{host}: no ranks"
    for where, there in places.items():
        yield f"{host}: {_names(there)} {'in ' if where.endswith(')') else ''}{where}"


def _names(there: Sequence[Rank]) -> str:
    numbers = sorted(one.number for one in there if one.number is not None)
    if len(numbers) != len(there):
        return f"{len(there)} ranks" if len(there) > 1 else there[0].name
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"ranks {numbers[0]} to {numbers[-1]}"
    return f"rank{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
