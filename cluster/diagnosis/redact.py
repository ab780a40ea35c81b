"""Removes secrets from all texts that are stored or sent: those of an inventory, and all that look like a
secret."""

from __future__ import annotations

from cluster.inventory import SECRET_NAMES, Inventory, is_secret
from cluster.remote.common import redact as patterns


def secret_values(inventory: Inventory) -> tuple[str, ...]:
    """Returns the secrets that the inventory holds or refers to."""
    key = inventory.serve.api_key
    secrets = {value for spec in inventory.hosts for name, value in spec.environment if is_secret(name, value)}
    return tuple(secrets | ({key.get_secret_value()} if key else set()))


def redact(text: str, values: tuple[str, ...]) -> str:
    """Returns the text without `values`, without the values of secret names, and without all that looks like a
    secret."""
    return patterns.redact(text, values, SECRET_NAMES)
