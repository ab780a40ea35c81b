"""What the ranks do, in the operator's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cluster.diagnosis.stall.evidence import Rank, StallEvidence
from cluster.inventory import Inventory


def summarize(inventory: Inventory, evidence: StallEvidence) -> list[str]:
    """Returns one or more lines for each host: what its ranks do."""
    return [line for spec in inventory.hosts for line in _host_lines(spec.name, evidence)]


def _host_lines(host: str, evidence: StallEvidence) -> Iterator[str]:
    if host not in evidence.answered:
        yield f"{host}: did not answer"
        return
    places: dict[str, list[Rank]] = {}
    for rank in evidence.ranks:
        if rank.host == host:
            places.setdefault(rank.where, []).append(rank)
    if not places:
        yield f"{host}: no ranks run"
    for where, ranks in places.items():
        yield f"{host}: {_names(ranks)} {'in ' if where.endswith(')') else ''}{where}"


def _names(ranks: Sequence[Rank]) -> str:
    numbers = sorted(rank.number for rank in ranks if rank.number is not None)
    if len(numbers) != len(ranks):
        return f"{len(ranks)} ranks" if len(ranks) > 1 else ranks[0].name
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"ranks {numbers[0]} to {numbers[-1]}"
    return f"rank{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
