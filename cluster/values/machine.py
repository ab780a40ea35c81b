"""Memory, limits and processes of the machine."""

from __future__ import annotations

from cluster.values.base import Fact


class Stranger(Fact):
    """A process of a Ray or a vLLM that is no part of this cluster; `age` in seconds.

    `cluster` is the other cluster of ours whose tree it is in; empty where it is none of ours.
    """

    pid: int
    kind: str
    user: str
    age: float
    cluster: str


class Hub(Fact):
    """Where the Hugging Face cache lies on a host, and what it holds of the model, whole or not."""

    path: str
    free_mib: int | None
    held_mib: int


class Machine(Fact):
    """Memory, limits and processes of the machine. Sizes in MiB, None where they could not be read.

    `memory_free_mib`: what can be had without swapping, within the container's limit. `memlock_binds`:
    there are RDMA devices, and the limit holds for the user. `tasks` (soft) and
    `tasks_hard`: processes and threads that the user may have, -1 where nothing binds them; `group_tasks`: those
    of our control group. `ended_at_logout`: systemd ends what the user leaves behind. `state_system`: the type of
    the filesystem of the state directory. `hub` is None for a model that is a folder.
    """

    shm_mib: int | None
    shm_free_mib: int | None
    memory_free_mib: int | None
    memlock_binds: bool
    tasks: int
    tasks_hard: int
    group_tasks: int
    ended_at_logout: bool
    state_system: str
    state_noexec: bool
    state_used: float
    strangers: tuple[Stranger, ...]
    hub: Hub | None
