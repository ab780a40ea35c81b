"""The folder of inventories in use and journals, without what reads the other settings."""

from __future__ import annotations

import os
from pathlib import Path


def default_state_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "orchestrator"


def state_folder() -> Path:
    """Returns the folder that `Settings` has. Raises RuntimeError if there is no home for a `~`."""
    named = os.environ.get("ORCHESTRATOR_STATE")
    return Path(named).expanduser() if named else default_state_folder()
