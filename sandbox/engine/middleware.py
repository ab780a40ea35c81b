"""What `--middleware` names, loaded as vLLM does, and asked about each request before it is answered."""

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    status: int
    body: bytes


class _Asked:
    """Stands for vLLM's own application: it notes that a request came through, and hears what is sent instead."""

    def __init__(self) -> None:
        self.passed = False
        self.status = 0
        self.body = b""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.passed = True

    async def send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


def load(names: Sequence[str]) -> list[Any]:
    """Raises ImportError or AttributeError for one that is not there."""
    paths = [name.rpartition(".") for name in names]
    return [getattr(importlib.import_module(module), name) for module, _, name in paths]


def refusal(classes: Sequence[Any], method: str, path: str, headers: Sequence[tuple[str, str]]) -> Refusal | None:
    """What the first of them says that does not let the request through."""
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": method, "path": path.partition("?")[0], "headers": raw}
    for each in classes:
        asked = _Asked()
        asyncio.run(each(asked)(scope, None, asked.send))
        if not asked.passed:
            return Refusal(asked.status, asked.body)
    return None
