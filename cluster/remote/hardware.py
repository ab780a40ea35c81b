"""What GPUs, driver and kernel say of their health."""

from typing import Any


def hardware(data: dict[str, Any]) -> dict[str, Any]:
    return {}
