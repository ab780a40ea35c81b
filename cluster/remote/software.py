"""What is installed in the venv, and what its programs will find."""

from typing import Any


def software(data: dict[str, Any]) -> dict[str, Any]:
    return {}
