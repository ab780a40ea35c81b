"""Takes secrets out of whatever is kept or sent on: those of an inventory, and whatever looks like one."""

from __future__ import annotations

import json

from cluster.inventory import SECRET_NAMES, Inventory, is_secret
from cluster.remote.common import redact as patterns


def secret_values(inventory: Inventory) -> tuple[str, ...]:
    """The secrets that the inventory names or leads to."""
    key = inventory.serve.api_key
    secrets = {value for spec in inventory.hosts for name, value in spec.environment if is_secret(name, value)}
    return tuple(secrets | ({key.get_secret_value()} if key else set()))


def redact(text: str, values: tuple[str, ...]) -> str:
    """The text without `values`, what stands behind a name of a secret, and whatever looks like one."""
    return patterns.redact(without(text, values), (), SECRET_NAMES)


def without(text: str, values: tuple[str, ...]) -> str:
    """The text without `values`, however they are written: a host has redacted it already, and knows less."""
    written = {json.dumps(value)[1:-1] for value in values}
    return patterns.without_values(text, (*values, *written))
