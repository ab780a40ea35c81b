"""What the processes of a start are at on every host, when nothing moves any more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from cluster.diagnosis import rank_logs
from cluster.diagnosis.collect import Collected, CollectRequest
from cluster.inventory import Inventory
from cluster.launch.environment import authentication, ray_address
from cluster.values.base import shaped

T = TypeVar("T")

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
HALTED = "TtZ"


def telling_frame(frames: Sequence[str]) -> str:
    """The innermost frame that says what a program does; empty where none does."""
    return next((frame for frame in frames if not _DULL.search(frame)), "")


class Said(BaseModel):
    """Part of what a host says of its processes; what else is in it is for people."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Thread(Said):
    """`frames`: where it is in its code, innermost first."""

    frames: tuple[str, ...]


class Process(Said):
    """One of ours, its main thread first; none where nobody could look."""

    pid: int
    command: str
    state: str
    waits_in: str
    cpu: float
    read_per_second: int
    threads: tuple[Thread, ...] = ()

    @property
    def frames(self) -> tuple[str, ...]:
        """The stack of its main thread."""
        return self.threads[0].frames if self.threads else ()


class Socket(Said):
    """One TCP connection, or one that is waited for, and its ends as address:port."""

    pid: int
    state: str
    local: str
    remote: str


class Node(Said):
    """A host in Ray."""

    address: str
    alive: bool


class RayState(Said):
    """What Ray knows. `free_gpus` is None where it did not answer."""

    nodes: tuple[Node, ...] = ()
    free_gpus: float | None = None


@dataclass(frozen=True)
class Rank:
    """One rank as a host shows it: `at` are frames of its main thread, innermost first."""

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
        if self.state in HALTED:
            return STATES[self.state]
        if self.idle:
            return "waiting for the engine"
        return telling_frame(self.at) or ("at work" if self.cpu > 0.5 else "where nobody could look")

    @property
    def idle(self) -> bool:
        """Whether it has no work, and waits for some."""
        reads = next((at for at, frame in enumerate(self.at) if _READS.match(frame)), None)
        return reads is not None and any(_IDLE.match(frame) for frame in self.at[reads + 1 : reads + 3])

    @property
    def waits_for_others(self) -> str:
        """The call in which it does; empty where it is at something of its own."""
        for frame in self.at[:12]:
            call = _TOGETHER.match(frame)
            if call and _OF_TORCH.search(call["file"]):
                return frame
        return ""


@dataclass(frozen=True)
class StallEvidence:
    """What the hosts that answered show: ranks, the stack of the engine, the ends of all connections, and
    what Ray knows."""

    ranks: tuple[Rank, ...]
    engine: tuple[str, ...]
    sockets: Mapping[str, Sequence[Socket]]
    ray: RayState
    answered: tuple[str, ...]


def request(inventory: Inventory, host: str, state: str, since: float, seconds: float) -> CollectRequest:
    """What a host is asked about a launch `since` seconds ago; `state` is the cluster's folder there."""
    of_ranks = rank_logs.request(since, seconds)
    knows_ray = inventory.uses_ray and host == inventory.head.name
    ray = {"address": ray_address(inventory), "authentication": authentication(state)} if knows_ray else None
    return CollectRequest(of_ranks.files, processes=True, kernel_within=since, ray_state=ray, seconds=seconds)


def evidence(collected: Mapping[str, Collected]) -> StallEvidence:
    return StallEvidence(
        ranks=tuple(rank for name, brought in collected.items() for rank in _ranks(name, brought)),
        engine=next((frames for brought in collected.values() if (frames := _engine(brought))), ()),
        sockets={name: _rows(brought, "connections.json", Socket) for name, brought in collected.items()},
        ray=next((ray for brought in collected.values() if (ray := _ray(brought))), RayState()),
        answered=tuple(collected),
    )


def _rows(collected: Collected, name: str, kind: type[T]) -> tuple[T, ...]:
    """None where the host did not say them, or something else."""
    try:
        return shaped(tuple[kind, ...], json.loads(collected.texts.get(name, "[]")))  # type: ignore[valid-type]
    except (ValueError, RecursionError):
        return ()


def _ray(collected: Collected) -> RayState | None:
    try:
        return RayState.model_validate_json(collected.texts["ray_state.json"])
    except (KeyError, ValueError):
        return None


def _engine(collected: Collected) -> tuple[str, ...]:
    for process in _rows(collected, "processes.json", Process):
        if process.command.startswith("VLLM::EngineCore"):
            return process.frames
    return ()


def _ranks(host: str, collected: Collected) -> Iterator[Rank]:
    numbers = {log.pid: log.rank for log in rank_logs.read(collected).ranks}
    for process in _rows(collected, "processes.json", Process):
        if _RANK.match(process.command):
            number, cpu, reads = numbers.get(process.pid), process.cpu, process.read_per_second
            yield Rank(host, process.pid, number, process.state, process.waits_in, cpu, reads, process.frames)
