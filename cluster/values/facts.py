"""What was seen of hosts and units. Frozen, all of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Protocol

from cluster.values.base import Fact


class GpuHealth(Fact):
    """One GPU. None or empty where nvidia-smi says that there is nothing to say, or does not know the field.

    `bus` is its address as the kernel log has it (0000:65:00); `uncorrected` counts ECC errors since the driver
    was loaded; `recovery` is what the driver asks for, `None` in its own word where that is nothing.
    """

    uuid: str
    bus: str
    capability: str
    persistent: bool | None
    mig: bool | None
    uncorrected: int | None
    pages_pending: bool | None
    rows_pending: bool | None
    rows_failed: bool | None
    sram_exceeded: bool | None
    fabric_state: str
    fabric_status: str
    recovery: str


class Xid(Fact):
    """The last line of its kind that the driver has logged on a GPU since the boot."""

    bus: str
    code: int
    text: str


class Hardware(Fact):
    """What GPUs, driver and kernel say of their health.

    `health` is empty where nvidia-smi refuses to tell, `xids` is None where the kernel log cannot be read.
    `fabric_manager` is whether it is seen to run, with the version that is installed (empty where none is).
    """

    health: tuple[GpuHealth, ...]
    xids: tuple[Xid, ...] | None
    nvswitch: bool
    fabric_manager: bool
    fabric_manager_version: str

    def of(self, uuid: str) -> GpuHealth | None:
        return next((one for one in self.health if one.uuid == uuid), None)


class RdmaPort(Fact):
    """One port of an RDMA device, in the kernel's own words (`ACTIVE`, `LinkUp`, `400 Gb/sec (4X NDR)`,
    `InfiniBand` or `Ethernet`); a word is empty where it cannot be read.

    `roce_gids` are the indices of its GIDs that are RoCE v2 over IPv4.
    """

    device: str
    port: int
    state: str
    physical: str
    rate: str
    layer: str
    roce_gids: tuple[int, ...]

    @property
    def active(self) -> bool:
        return self.state == "ACTIVE"


class Links(Fact):
    """Names, routes, links and proxies between the hosts.

    `resolved`: what the host's own name resolves to, None where that took too long. `sources`: by peer, our
    address on the way to its cluster address, empty where there is no way. `mtu`: of the interface with our own.
    `environment`: variables of the session that have a say in it; of proxies only that they are set.
    `peer_memory`: whether the kernel lets the network reach GPU memory, None where it does not say.
    """

    resolved: tuple[str, ...] | None
    sources: dict[str, str]
    mtu: int | None
    environment: dict[str, str]
    rdma: tuple[RdmaPort, ...]
    peer_memory: bool | None


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


class Software(Fact):
    """What is installed in the venv, and what its programs will find.

    `ninja` and `compiler` are paths, as looked for with the PATH of our units; empty where there is none.
    `demands`: what the installed vLLM requires of the distributions whose versions we read (PEP 508).
    `unimportable`: packages that the model's own code imports and the venv does not have.
    """

    ninja: str
    compiler: str
    demands: tuple[str, ...]
    unimportable: tuple[str, ...]


class GpuProcess(Fact):
    """A process on a GPU, as nvidia-smi lists it; `ours` when it is in the tree of one of our units.

    `used_mib` is None where nvidia-smi does not say. `user` and `age`, in seconds, are unknown of a process that
    /proc does not show, as from inside a container.
    """

    pid: int
    name: str
    used_mib: int | None
    ours: bool
    user: str = ""
    age: float | None = None


class Gpu(Fact):
    """One GPU as nvidia-smi reports it; memory in MiB, None where it does not say (GB10 does not)."""

    index: int
    uuid: str
    name: str
    memory_mib: int | None
    used_mib: int | None
    processes: tuple[GpuProcess, ...] = ()


class Listener(Fact):
    """Who listens on a port of interest; `pid` 0 when the kernel does not say (another user's process).

    `age` is in seconds, None where /proc does not say.
    """

    port: int
    pid: int
    command: str
    ours: bool
    user: str = ""
    age: float | None = None


class Presence(StrEnum):
    """What a look at a host shows of a unit."""

    ABSENT = "absent"
    ALIVE = "alive"
    DEAD = "dead"


class Launcher(Fact):
    """Who launched a unit: the person and the machine, as they call themselves, and the state folder they work
    from, by an id that nobody else has."""

    owner: str
    machine: str
    state: str


class UnitState(Fact):
    """What was seen of one unit. DEAD: a record whose keeper or leader is gone, `pids` may still be alive; or a
    Ray that has `lost` a process without which it is none.

    `fingerprint` covers everything that decides whether the unit is still the wanted one, the secrets of its
    environment too; `argv` is kept for people. `age` is in seconds. `launched_by` is None of a record of code
    that did not note it.
    """

    presence: Presence
    argv: tuple[str, ...] = ()
    fingerprint: str = ""
    pids: tuple[int, ...] = ()
    age: float = 0.0
    status: int | None = None
    lost: tuple[str, ...] = ()
    launched_by: Launcher | None = None


#: What a rank reads: weights, configuration, remote code, tokenizer and chat template. The rest is for people.
_READ = (
    ".safetensors", ".bin", ".pt", ".pth", ".gguf", ".json", ".py", ".model", ".tiktoken", ".jinja",
    "merges.txt", "vocab.txt",
)  # fmt: skip


def is_read(name: str) -> bool:
    """Whether a rank reads this file of the model."""
    return name.endswith(_READ) and not name.startswith(".")


class ModelFiles(Fact):
    """The model on a host: the folder found, and size in bytes by file name; `problem` when it is not usable.

    `config` is the text of its config.json, of the head alone; empty where it could not be read.
    """

    path: str
    sizes: dict[str, int]
    problem: str = ""
    config: str = ""


class TakenFolder(Fact):
    """What is in the way of one of our folders on a host (the one that they lie in, ours there, the cluster's, or
    a unit's), and whose it is."""

    level: Literal["parent", "user", "cluster", "ray", "vllm"]
    kind: Literal["link", "no folder", "owner", "writable"]
    owner: str


class Facts(Fact):
    """All that one round trip brings from a host. Limits are hard limits, -1 is unlimited; sizes in MiB.

    `clock` is the host's time of day, in seconds, as it began to look and as the very last thing that it said.
    """

    boot_id: str
    uid: int
    user: str
    hostname: str
    python: str
    python_is_venvs: bool
    versions: dict[str, str]
    driver: str
    gpus: tuple[Gpu, ...]
    gpu_problem: str
    addresses: dict[str, tuple[str, ...]]
    listeners: tuple[Listener, ...]
    nofile: int
    memlock: int
    state: str
    state_problem: str
    free_mib: int
    model: ModelFiles
    ray: UnitState
    vllm: UnitState
    hardware: Hardware
    software: Software
    links: Links
    machine: Machine
    clock: tuple[float, float]
    state_taken: TakenFolder | None = None

    def interface(self, address: str) -> str:
        """The interface that holds `address`; empty when none does."""
        return next((name for name, held in self.addresses.items() if address in held), "")


class LaunchTarget(Protocol):
    """What commands for a host depend on of it: Facts, or what stands in for them where nobody has looked."""

    @property
    def state(self) -> str:
        """The folder of the cluster on this host."""

    @property
    def python(self) -> str:
        """The version of the venv's Python."""

    @property
    def versions(self) -> dict[str, str]:
        """The version of each package that is installed there."""

    def interface(self, address: str) -> str:
        """The interface that holds `address`."""
