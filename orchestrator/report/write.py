"""The page on the disk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cluster.errors import UsageError


def made_now() -> str:
    return f"Page made on {datetime.now(UTC).strftime('%Y-%m-%d %H:%M')} UTC"


def keep(path: Path, text: str) -> None:
    """Whole or not at all. Raises UsageError."""
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        cure = "make room there, or give another file with --to"
        raise UsageError(f"{path} cannot be written", cause=error.strerror or str(error), cure=cure) from None
