"""The version of the program."""

from __future__ import annotations

import platform
from importlib import metadata

_DISTRIBUTION = "ray-cluster-orchestrator"


def number() -> str:
    """The installed version; a checkout that was never installed has none."""
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "not installed"


def version() -> str:
    """orchestrator 0.1.0, Python 3.11.2."""
    return f"orchestrator {number()}, Python {platform.python_version()}"
