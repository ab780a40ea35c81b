"""What the processes of a start are at on every host, when nothing moves any more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.diagnosis import rank_logs
from cluster.diagnosis.collect import Collected, CollectRequest
from cluster.inventory import Inventory
from cluster.launch.environment import authentication, ray_address

#: As Ray and vLLM name the processes of ranks.
_RANK = re.compile(r"^(?:ray::RayWorkerProc|ray::RayWorkerWrapper|VLLM::Worker)")

#: Calls in which a rank waits for the others, as py-spy names them, with their classes.
_TOGETHER = re.compile(
    r"^(?:[\w<>]+\.)*_?(?:barrier|monitored_barrier|all_reduce|all_gather|gather|broadcast|reduce|scatter|send|recv"
    r"|new_group|new_process_group|init_process_group|init_distributed_environment|create_group|split_group"
    r"|rendezvous|synchronize|wait)\w* \((?P<file>[^)]*)\)"
)
_OF_TORCH = re.compile(r"torch/distributed|distributed/parallel_state|device_communicators/(?!shm_)|torch/cuda")
#: A rank without work waits for the next word of the engine.
_IDLE = re.compile(r"^(?:[\w<>]+\.)*worker_busy_loop \(")
_READS = re.compile(r"^(?:MessageQueue\.)?dequeue \(")
#: Frames that say nothing of what a program does.
_DULL = re.compile(
    r"\((?:threading|selectors|queue|socket|ssl|contextlib|functools|zmq/|<string>)|c10d_logger"
    r"|[Ww]rapper \(|inner \("
)

#: Of a process that does not run, in the kernel's letters.
STATES = {"T": "stopped", "t": "stopped by a debugger", "D": "waiting for a disk or a driver", "Z": "dead"}
_HALTED = "TtZ"


def told_frame(frames: Sequence[str]) -> str:
    """The innermost that says what a program does; empty where none does."""
    return next((frame for frame in frames if not _DULL.search(frame)), "")


@dataclass(frozen=True)
class Rank:
    """One rank as it was found: `at` are frames of its main thread, innermost first."""

    host: str
    pid: int
    number: int | None
    state: str
    waits_in: str
    cpu: float
    reads: int
    at: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"rank {self.number}" if self.number is not None else f"the rank with pid {self.pid}"

    @property
    def where(self) -> str:
        """What it is at, in a word."""
        if self.state in _HALTED:
            return STATES[self.state]
        if self.idle:
            return "waiting for the engine"
        return told_frame(self.at) or ("at work" if self.cpu > 0.5 else "where nobody could look")

    @property
    def idle(self) -> bool:
        """Whether it has no work, and waits for some."""
        reads = next((at for at, frame in enumerate(self.at) if _READS.match(frame)), None)
        return reads is not None and any(_IDLE.match(frame) for frame in self.at[reads + 1 : reads + 3])

    @property
    def waits_for_others(self) -> str:
        """The call in which it does; empty where it is at something of its own."""
        for frame in self.at[:12]:
            found = _TOGETHER.match(frame)
            if found and _OF_TORCH.search(found["file"]):
                return frame
        return ""


@dataclass(frozen=True)
class StallEvidence:
    """What was found on the hosts that answered: ranks, the stack of the engine, the ends of all connections, and
    what Ray knows."""

    ranks: tuple[Rank, ...]
    engine: tuple[str, ...]
    sockets: Mapping[str, Sequence[Mapping[str, Any]]]
    ray: Mapping[str, Any]
    answered: tuple[str, ...]


def wanted(inventory: Inventory, host: str, state: str, since: float, seconds: float) -> CollectRequest:
    """Of a launch `since` seconds ago; `state` is the cluster's folder on the host."""
    of_ranks = rank_logs.wanted(since, seconds)
    knows_ray = inventory.uses_ray and host == inventory.head.name
    ray = {"address": ray_address(inventory), "authentication": authentication(state)} if knows_ray else None
    return CollectRequest(of_ranks.files, processes=True, kernel_within=since, ray_state=ray, seconds=seconds)


def evidence(collected: Mapping[str, Collected]) -> StallEvidence:
    return StallEvidence(
        ranks=tuple(one for name, brought in collected.items() for one in _ranks(name, brought)),
        engine=next((frames for one in collected.values() if (frames := _engine(one))), ()),
        sockets={name: _json(brought, "connections.json", []) for name, brought in collected.items()},
        ray=next((found for one in collected.values() if (found := _json(one, "ray_state.json", {}))), {}),
        answered=tuple(collected),
    )


def _json(collected: Collected, name: str, otherwise: Any) -> Any:
    try:
        return json.loads(collected.texts[name])
    except (KeyError, ValueError):
        return otherwise


def _engine(collected: Collected) -> tuple[str, ...]:
    for one in _json(collected, "processes.json", []):
        if one["command"].startswith("VLLM::EngineCore"):
            return _frames(one)
    return ()


def _frames(process: Mapping[str, Any]) -> tuple[str, ...]:
    """Of its main thread."""
    return tuple(process["threads"][0]["frames"]) if process.get("threads") else ()


def _ranks(host: str, collected: Collected) -> Iterator[Rank]:
    numbers = {log.pid: log.rank for log in rank_logs.words(collected).ranks}
    for one in _json(collected, "processes.json", []):
        if _RANK.match(one["command"]):
            words = one["state"], one["waits_in"], one["cpu"], one["read_per_second"]
            yield Rank(host, one["pid"], numbers.get(one["pid"]), *words, _frames(one))
