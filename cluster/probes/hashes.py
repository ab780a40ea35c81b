"""Hashes of the model's files: what sizes cannot show."""

from __future__ import annotations

from cluster.command import Probe, last_json, program
from cluster.inventory import Inventory
from cluster.values import Facts, is_read

#: Seconds: 848 GB from a disk that gives 60 MB/s.
_LIMIT = 4 * 3600.0


def hashes(inventory: Inventory, facts: Facts) -> Probe[dict[str, str]]:
    """Hashes all files that ranks read, by name."""
    names = sorted(name for name in facts.model.sizes if is_read(name))
    payload = {"folder": facts.model.path, "names": names}
    venv = inventory.runtime.venv
    command = program("trials.hashes", payload, title="hash the model's files", venv=venv, timeout=_LIMIT)
    return Probe(
        command, lambda output: {str(name): str(value) for name, value in last_json(output)["hashes"].items()}
    )
