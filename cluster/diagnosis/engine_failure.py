"""The error of a failed engine: the rank, its host, the cause, and the fix."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from cluster.diagnosis.rank_logs import RankLogs
from cluster.diagnosis.redact import redact, secret_values
from cluster.diagnosis.root_cause import RootCause, root_cause
from cluster.engine.vllm_log import failed
from cluster.errors import EngineDied
from cluster.inventory import Inventory
from cluster.launch.unit import UnitStatus

_LOGS = "read the whole log: `orchestrator logs {host} --unit vllm`"
#: An exception may list all accepted values; the first characters are enough, and the log has the rest.
_LONGEST = 300
_SHOWN, _SHOWN_OF_KNOWN = 8, 2
_LAST = 12

_KINDS = {"EngineCore": "the engine", "APIServer": "the API server"}


def is_dead(engine: UnitStatus, log: str) -> bool:
    """Returns whether the engine has failed. The process can outlive its engine, so its log counts as much."""
    return not engine.alive or failed(log)


def engine_failed(
    inventory: Inventory, engine: UnitStatus, log: str, elsewhere: Mapping[str, RankLogs] | None = None
) -> EngineDied:
    """Returns why the engine failed, from its log and from the logs of the ranks by host.

    A log may hold anything, also the environment of a process. No secret of it gets into the error.
    """
    error = _error(inventory, engine, log, elsewhere)
    values = secret_values(inventory)
    cause, last = redact(error.cause, values), redact(error.last, values)
    return EngineDied(error.host, cause, error.cure, last, rank=error.rank)


def _error(
    inventory: Inventory, engine: UnitStatus, log: str, elsewhere: Mapping[str, RankLogs] | None
) -> EngineDied:
    head = inventory.head
    addresses = {spec.name: "" if spec is head else spec.cluster_address for spec in inventory.hosts}
    root = root_cause(log, {addresses[name]: logs for name, logs in (elsewhere or {}).items()})
    if root is None:
        return _unexplained(head.name, engine, log)
    host = next((spec.name for spec in inventory.hosts if spec.cluster_address == root.process.address), head.name)
    cure = root.cure or _LOGS.format(host=head.name)
    return EngineDied(host, _cause(root), cure, _frames(root), rank=_rank(root))


def _frames(root: RootCause) -> str:
    """Returns the innermost frames of the traceback, without the exception. They are fewer where the cause is
    known."""
    if root.cause and "pydantic" in "".join(root.traceback[-1:]):
        return ""  # the place where an argument was checked does not show its mistake
    frames = [line for line in root.traceback[:-1] if line.strip(" ^~")]
    return "\n".join(frames[-_SHOWN_OF_KNOWN:] if root.cause else frames[-_SHOWN:])


def _cause(root: RootCause) -> str:
    """Returns which process failed and its exception; and the meaning, where it is known."""
    who = _rank(root) or _KINDS.get(root.process.kind, root.process.kind)
    what = root.what if len(root.what) <= _LONGEST else root.what[:_LONGEST].rstrip() + " …"
    return "\n".join(filter(None, (f"{who}: {what}" if who else what, root.cause)))


def _rank(root: RootCause) -> str:
    """Returns the name of the rank that failed; empty for any other process."""
    if root.rank is not None:
        return f"rank {root.rank}"
    return "a rank" if root.process.kind == "RayWorkerProc" else ""


def _unexplained(host: str, engine: UnitStatus, log: str) -> EngineDied:
    last = "\n".join(log.splitlines()[-_LAST:])
    if engine.status is not None and engine.status < 0:
        cause = f"vLLM was killed by {_signal(-engine.status)}"
        cure = f"find what killed it: `dmesg -T` on {host} shows whether the kernel did, because memory ran out"
    else:
        status = "" if engine.status is None else f" (exit status {engine.status})"
        cause, cure = f"vLLM has exited{status}", _LOGS.format(host=host)
    return EngineDied(host, cause, cure, last)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
