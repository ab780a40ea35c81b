"""Memory, limits and processes of the machine."""

from typing import Any


def machine(data: dict[str, Any]) -> dict[str, Any]:
    return {}
