"""What the processes of a start are at on every host, when nothing moves any more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.collect import Collected, Wanted
from cluster.environment import authentication, ray_address
from cluster.inventory import Inventory
from cluster.vllm import ranks

#: As Ray and vLLM name the processes of ranks.
_RANK = re.compile(r"^(?:ray::RayWorkerProc|ray::RayWorkerWrapper|VLLM::Worker)")

#: Calls in which a rank waits for the others.
_TOGETHER = re.compile(
    r"^(?:\w+\.)*_?(?:barrier|monitored_barrier|all_reduce\w*|all_gather\w*|gather\w*|broadcast\w*|reduce\w*"
    r"|scatter\w*|send\w*|recv\w*|new_group|new_process_group\w*|init_process_group|create_group\w*|rendezvous\w*"
    r"|split_group|wait|synchronize|init_distributed_environment|ncclCommInitRank|__init__) \((?P<file>[^)]*)\)"
)
_OF_TORCH = re.compile(r"torch/distributed|distributed/(?:parallel_state|device_communicators)|pynccl|torch/cuda")
#: Frames that say nothing of what a program does.
_DULL = re.compile(
    r"\((?:threading|selectors|queue|socket|ssl|contextlib|functools|<string>)[.:]|wrapper \(|inner \("
)

STATES = {"T": "stopped", "t": "stopped by a debugger", "D": "waiting for a disk or a driver", "Z": "dead"}


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
        if self.state in STATES and self.state != "D":
            return STATES[self.state]
        telling = next((frame for frame in self.at if not _DULL.search(frame)), "")
        return telling or ("at work" if self.cpu > 0.5 else "nobody could look where")

    @property
    def waits_for_others(self) -> str:
        """The call in which it does; empty where it is at something of its own."""
        for frame in self.at[:12]:
            found = _TOGETHER.match(frame)
            if found and _OF_TORCH.search(found["file"]):
                return frame
        return ""


@dataclass(frozen=True)
class Evidence:
    """What was found on the hosts that answered: ranks, the ends of their connections, and what Ray knows."""

    ranks: tuple[Rank, ...]
    sockets: Mapping[str, Sequence[Mapping[str, Any]]]
    ray: Mapping[str, Any]
    answered: tuple[str, ...]


def wanted(inventory: Inventory, host: str, state: str, since: float, seconds: float) -> Wanted:
    """Of a launch `since` seconds ago; `state` is the cluster's folder on the host."""
    of_ranks = ranks.wanted(since, seconds)
    knows_ray = inventory.uses_ray and host == inventory.head.name
    ray = {"address": ray_address(inventory), "authentication": authentication(state)} if knows_ray else None
    return Wanted(of_ranks.files, processes=True, kernel_within=since, ray_state=ray, seconds=seconds)


def evidence(collected: Mapping[str, Collected]) -> Evidence:
    return Evidence(
        ranks=tuple(one for name, brought in collected.items() for one in _ranks(name, brought)),
        sockets={name: _json(brought, "connections.json", []) for name, brought in collected.items()},
        ray=next((found for one in collected.values() if (found := _json(one, "ray_state.json", {}))), {}),
        answered=tuple(collected),
    )


def _json(collected: Collected, name: str, otherwise: Any) -> Any:
    try:
        return json.loads(collected.texts[name])
    except (KeyError, ValueError):
        return otherwise


def _ranks(host: str, collected: Collected) -> Iterator[Rank]:
    numbers = {log.pid: log.rank for log in ranks.words(collected).ranks}
    for one in _json(collected, "processes.json", []):
        if _RANK.match(one["command"]):
            frames = tuple(one["threads"][0]["frames"]) if one.get("threads") else ()
            words = one["state"], one["waits_in"], one["cpu"], one["read_per_second"]
            yield Rank(host, one["pid"], numbers.get(one["pid"]), *words, frames)
