"""The second step of preflight: what only trying can show, on all hosts at once."""

from __future__ import annotations

from cluster.inventory import Inventory
from cluster.probes.hashes import hashes
from cluster.probes.reach import reach
from cluster.probes.venv_check import venv_check
from cluster.transport.fleet import Fleet, both
from cluster.transport.host import Host
from cluster.values import Facts, VenvCheck
from cluster.views import Observed, TrialResults


def run(inventory: Inventory, fleet: Fleet, seen: Observed, deep: bool = False) -> dict[str, TrialResults]:
    """Returns results of the hosts that could be looked at. Peers and libraries are tried at the same time.

    `deep`: hashes of the model's files as well, which takes minutes or hours.
    """
    facts = {name: view.facts for name, view in seen.items() if view.facts}
    reaches, venvs = both(
        lambda: reach(inventory, fleet, seen),
        lambda: fleet.each(lambda host: _try_venv(inventory, host, facts[host.name]), facts),
    )
    hashes_by_host = fleet.each(lambda host: _hash(inventory, host, facts[host.name]), facts if deep else ())
    return {
        name: TrialResults(name, reaches.get(name, ()), venvs[name], hashes_by_host.get(name)) for name in facts
    }


def _try_venv(inventory: Inventory, host: Host, facts: Facts) -> VenvCheck | None:
    """Returns None where there is no venv: preflight has said so."""
    if not facts.python_is_venvs:
        return None
    return host.attend(venv_check(inventory, inventory.host(host.name), facts))


def _hash(inventory: Inventory, host: Host, facts: Facts) -> dict[str, str] | None:
    """Returns None where the model is not whole: preflight has said so."""
    return None if facts.model.problem else host.attend(hashes(inventory, facts))
