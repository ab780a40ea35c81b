"""The proofs as they are shown: a line each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Report:
    """Prints each proof with the values that it compared; `failed` holds the names of those that did not hold."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    @contextmanager
    def proof(self, what: str) -> Iterator[list[str]]:
        """An assertion that fails ends this proof alone. The values compared go into the list."""
        compared: list[str] = []
        try:
            yield compared
        except AssertionError as problem:
            self.failed.append(what)
            print(f"FAILED  {what}: {problem}", flush=True)
        else:
            print(f"proved  {what}: {'; '.join(compared)}", flush=True)
