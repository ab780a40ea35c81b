"""Causes that several commands can fail of."""

from __future__ import annotations

from cluster.command import Hint

#: What keeps any program of ours from writing in the state directory.
STATE_HINTS = (
    Hint(
        "belongs to somebody else",
        "the state directory was made by another user",
        "remove it, or choose another one under `runtime: state_directory:`",
    ),
    Hint("No space left", "the disk of the state directory is full", "free some space there"),
    Hint(
        "Read-only file system",
        "the state directory is on a read-only disk",
        "choose another one under `runtime: state_directory:`",
    ),
)
