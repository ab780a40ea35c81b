"""What killed an engine, out of its own log and of what every host has to say of the ranks there."""

from __future__ import annotations

import time
from contextlib import suppress

from cluster.collect import Collected, collect
from cluster.errors import HostError, NotReady
from cluster.follow import Follower
from cluster.unit import Look
from cluster.vllm import ranks
from cluster.vllm.failure import engine_failed
from orchestrator.phase import Stage

#: Seconds for hosts to say it: a crash is explained within five of its happening.
_SECONDS, _GRACE = 1.5, 1.0


def autopsy(stage: Stage, engine: Follower, seen: Look) -> NotReady:
    """The error for a person. Hosts that do not answer in time are done without."""
    words = {name: ranks.words(one) for name, one in _collected(stage).items()}
    # The words of ranks take a moment to come through Ray into this log.
    with suppress(HostError):
        seen = engine.look()
    return engine_failed(stage.inventory, seen, engine.log, words)


def _collected(stage: Stage) -> dict[str, Collected]:
    since = stage.seen[stage.inventory.head.name].vllm.age + time.monotonic() - stage.since
    wanted = ranks.wanted(since, _SECONDS)
    found = stage.fleet.within(_SECONDS + _GRACE, lambda host: collect(host, stage.inventory, wanted))
    return {name: one for name, one in found.items() if isinstance(one, Collected)}
