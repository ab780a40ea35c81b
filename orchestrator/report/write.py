"""The page on the disk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cluster.errors import UsageError
from orchestrator.local.atomic_write import atomic_write


def made_now() -> str:
    return f"Page made on {datetime.now(UTC).strftime('%Y-%m-%d %H:%M')} UTC"


def keep(path: Path, text: str) -> None:
    """Keeps the page whole or not at all. Raises UsageError."""
    try:
        atomic_write(path, text.encode())
    except OSError as error:
        cure = "make room there, or give another file with --to"
        raise UsageError(f"{path} cannot be written", cause=error.strerror or str(error), cure=cure) from None
