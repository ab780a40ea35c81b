"""A dead engine, as the error that a person reads."""

from __future__ import annotations

from cluster.errors import NotReady
from cluster.unit import Look
from cluster.vllm.cause import root_cause
from cluster.vllm.log import failed

_LOGS = "read the log of vllm on this host"


def is_dead(engine: Look, log: str) -> bool:
    """The process can outlive its engine: what the log says counts as much."""
    return not engine.alive or failed(log)


def engine_failed(host: str, engine: Look, log: str) -> NotReady:
    """Why the engine will not come, out of its log."""
    cause = root_cause(log)
    if cause is None:
        status = "" if engine.status is None else f" (exit status {engine.status})"
        last = "\n".join(log.splitlines()[-12:])
        return NotReady("the engine", 0.0, last, host=host, cause=f"vLLM has ended{status}", cure=_LOGS)
    where = f"{cause.who}: " if cause.who else ""
    meaning = f"\n{cause.cause}" if cause.cause else ""
    last = "\n".join(cause.traceback[-8:]) or cause.what
    return NotReady(
        "the engine", 0.0, last, host=host, cause=f"{where}{cause.what}{meaning}", cure=cause.cure or _LOGS
    )
