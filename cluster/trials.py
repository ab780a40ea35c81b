"""The second step of preflight: what only trying can show, on all hosts at once."""

from __future__ import annotations

from cluster.errors import HostError
from cluster.fleet import Fleet, both
from cluster.host import Host
from cluster.inventory import Inventory
from cluster.observe import Observed
from cluster.reach import reach
from cluster.values import Facts, Reach, Tried, VenvTrial
from cluster.venv_trial import venv_trial


def try_out(inventory: Inventory, fleet: Fleet, seen: Observed) -> dict[str, Tried]:
    """By host, of those that could be looked at. Peers and libraries are tried at the same time."""
    facts = {name: view.facts for name, view in seen.items() if view.facts}
    reaches, venvs = both(
        lambda: reach(inventory, fleet, seen),
        lambda: fleet.each(lambda host: _try_venv(inventory, host, facts[host.name]), facts),
    )
    return {name: _tried(name, reaches.get(name, ()), venvs[name]) for name in facts}


def _try_venv(inventory: Inventory, host: Host, facts: Facts) -> VenvTrial | None:
    """None where there is no venv: preflight has said so."""
    if not facts.python_is_venvs:
        return None
    return host.attend(venv_trial(inventory, inventory.host(host.name), facts))


def _tried(name: str, reaches: tuple[Reach, ...] | HostError, venv: VenvTrial | HostError | None) -> Tried:
    return Tried(
        name,
        None if isinstance(reaches, HostError) else reaches,
        None if isinstance(venv, HostError) else venv,
        tuple(one for one in (reaches, venv) if isinstance(one, HostError)),
    )
