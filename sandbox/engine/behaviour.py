"""The behaviour of the engine, from a file on the head that a scenario may rewrite at any time."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

_FILE = Path("/etc/sandbox/engine.json")


class Behaviour(NamedTuple):
    behaviour: str = "serve"
    """While loading: serve, crash, linger (crash, but the process stays), hang, placement, local_ray.

    Once healthy: serve, tokenless (completions hang), empty (they have no tokens), wedge (they hang after the
    first few). An answer to GET has no end in endless and drip. In drip it has a byte every half second.
    """
    load_seconds: float = 0.3
    slow_rank: Mapping[str, Any] = MappingProxyType({})
    """{"rank": 1, "seconds": 20}: it reads after rank 0 is done, or until the file changes."""
    transport: str = "socket"
    """socket, ib or gdrdma."""
    kv_tokens: int = 700000
    tokens_before_wedge: int = 1
    daemons: int = 0
    """Processes that leave the session as soon as they are started."""
    says: str = ""
    """A line that it writes to its log before all others."""
    token_seconds: float = 0.0
    """Between two tokens of a stream."""
    busy: Mapping[str, Any] = MappingProxyType({})
    """{"running": 2, "tokens_per_second": 40}: as if others were being served."""


def read() -> Behaviour:
    try:
        return Behaviour(**json.loads(_FILE.read_text()))
    except FileNotFoundError:
        return Behaviour()
