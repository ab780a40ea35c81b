"""The second step of preflight: what only trying can show, on all hosts at once."""

from __future__ import annotations

from cluster.errors import HostError
from cluster.fleet import Fleet
from cluster.inventory import Inventory
from cluster.observe import Observed
from cluster.reach import reach
from cluster.values import Reach, Tried


def try_out(inventory: Inventory, fleet: Fleet, seen: Observed, deep: bool = False) -> dict[str, Tried]:
    """By host, of those that could be looked at. `deep`: hashes of the model's files as well (minutes)."""
    names = [name for name, view in seen.items() if view.facts]
    reaches = reach(inventory, fleet, seen)
    return {name: _tried(name, reaches.get(name, ())) for name in names}


def _tried(name: str, reaches: tuple[Reach, ...] | HostError) -> Tried:
    if isinstance(reaches, HostError):
        return Tried(name, problems=(reaches,))
    return Tried(name, reaches=reaches)
