"""Parts of the programs that run on hosts, as a host has them: behind all that they import."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from cluster.command import with_parts


@cache
def part(name: str) -> SimpleNamespace:
    """What the part `name` of `cluster.remote` defines, and all that it imports."""
    defined: dict[str, object] = {"__name__": f"cluster.remote.{name}"}
    exec(compile(with_parts(name), name, "exec"), defined)
    return SimpleNamespace(**defined)
