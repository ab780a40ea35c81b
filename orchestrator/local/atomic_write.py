"""A file on this machine, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def atomic_write(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replaces `path`, whoever else writes it; the umask applies to `mode`. Raises OSError, and leaves nothing.

    The content is on the disk before it gets its name: without that, some file systems show an empty file after
    a power cut. Every file of ours here is small, and written once in a command.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
