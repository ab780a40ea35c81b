"""What is taken out of all that is kept or sent on: the secrets of an inventory, and whatever looks like one."""

from __future__ import annotations

import json

from cluster.inventory import SECRET_NAMES, Inventory, is_secret
from cluster.remote.common import redact as patterns


def secret_values(inventory: Inventory) -> tuple[str, ...]:
    """Those that the inventory names or leads to."""
    key = inventory.serve.api_key
    found = {value for spec in inventory.hosts for name, value in spec.environment if is_secret(name, value)}
    return tuple(found | ({key.get_secret_value()} if key else set()))


def redact(text: str, values: tuple[str, ...]) -> str:
    """Nothing of `values` is left in it, nor what stands behind a name of a secret, nor what looks like one."""
    return patterns.redact(without(text, values), (), SECRET_NAMES)


def without(text: str, values: tuple[str, ...]) -> str:
    """Nothing of `values`, however it was written: for what a host has redacted by itself, with less knowledge."""
    written = {json.dumps(value)[1:-1] for value in values}
    return patterns.without_values(text, (*values, *written))
