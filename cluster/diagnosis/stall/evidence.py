"""The state of all processes of a start, on every host, when it stalls."""

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

#: Ray and vLLM name the processes of ranks like this.
_RANK = re.compile(r"^(?:ray::RayWorkerProc|ray::RayWorkerWrapper|VLLM::Worker)")

#: Calls in which a rank waits for the others, as py-spy prints them, with their classes.
_TOGETHER = re.compile(
    r"^(?:[\w<>]+\.)*_?(?:barrier|monitored_barrier|all_reduce|all_gather|gather|broadcast|reduce|scatter|send|recv"
    r"|new_group|new_process_group|init_process_group|init_distributed_environment|create_group|split_group"
    r"|rendezvous|synchronize|wait)\w* \((?P<file>[^)]*)\)"
)
_OF_TORCH = re.compile(r"torch/distributed|distributed/parallel_state|device_communicators/(?!shm_)|torch/cuda")
#: A rank without work waits for the next message of the engine.
_IDLE = re.compile(r"^(?:[\w<>]+\.)*worker_busy_loop \(")
_READS = re.compile(r"^(?:MessageQueue\.)?dequeue \(")
#: Frames that do not show what a program does.
_DULL = re.compile(
    r"\((?:threading|selectors|queue|socket|ssl|contextlib|functools|zmq/|<string>)|c10d_logger"
    r"|[Ww]rapper \(|inner \("
)

#: States of a process that does not run, by the kernel's letters.
STATES = {
    "T": "stopped",
    "t": "stopped by a debugger",
    "D": "waiting for a disk or a driver",
    "Z": "a zombie process",
}
HALTED = "TtZ"


def telling_frame(frames: Sequence[str]) -> str:
    """Returns the innermost frame that shows what a program does; empty where there is none."""
    return next((frame for frame in frames if not _DULL.search(frame)), "")


class Said(BaseModel):
    """Part of a host's answer about its processes; further keys are for readers."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Thread(Said):
    """One thread. `frames` are its position in the code, innermost first."""

    frames: tuple[str, ...]


class Process(Said):
    """One process of the cluster, its main thread first; the threads are empty where they could not be read."""

    pid: int
    command: str
    state: str
    waits_in: str
    cpu: float
    read_per_second: int
    threads: tuple[Thread, ...] = ()

    @property
    def frames(self) -> tuple[str, ...]:
        """Returns the stack of its main thread."""
        return self.threads[0].frames if self.threads else ()


class Socket(Said):
    """One TCP connection, open or in setup, with its ends as address:port."""

    pid: int
    state: str
    local: str
    remote: str


class Node(Said):
    """A host in Ray."""

    address: str
    alive: bool


class RayState(Said):
    """The state of Ray. `free_gpus` is None where Ray did not answer."""

    nodes: tuple[Node, ...] = ()
    free_gpus: float | None = None


@dataclass(frozen=True)
class Rank:
    """One rank as a host shows it. `at` are frames of its main thread, innermost first."""

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
        """Returns what it does, in a few words."""
        if self.state in HALTED:
            return STATES[self.state]
        if self.idle:
            return "waiting for the engine"
        return telling_frame(self.at) or ("at work" if self.cpu > 0.5 else "in an unknown place")

    @property
    def idle(self) -> bool:
        """Returns whether it has no work and waits for some."""
        reads = next((at for at, frame in enumerate(self.at) if _READS.match(frame)), None)
        return reads is not None and any(_IDLE.match(frame) for frame in self.at[reads + 1 : reads + 3])

    @property
    def waits_for_others(self) -> str:
        """Returns the call in which it waits for other ranks; empty where it does not."""
        for frame in self.at[:12]:
            call = _TOGETHER.match(frame)
            if call and _OF_TORCH.search(call["file"]):
                return frame
        return ""


@dataclass(frozen=True)
class StallEvidence:
    """The evidence of the hosts that answered: ranks, the stack of the engine, all connections, and the state of
    Ray."""

    ranks: tuple[Rank, ...]
    engine: tuple[str, ...]
    sockets: Mapping[str, Sequence[Socket]]
    ray: RayState
    answered: tuple[str, ...]


def request(inventory: Inventory, host: str, state: str, since: float, seconds: float) -> CollectRequest:
    """Returns the request about a launch `since` seconds ago; `state` is the cluster's folder on the host."""
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
    """Returns the rows, or None where the host brought none or another shape."""
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
