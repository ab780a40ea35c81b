"""Facts of hosts and units. All are frozen."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Protocol

from cluster.values.base import Fact


class GpuHealth(Fact):
    """One GPU. A field is None or empty where nvidia-smi has no value or does not know the field.

    `bus` is its address as in the kernel log (0000:65:00). `uncorrected` counts ECC errors since the driver was
    loaded. `recovery` is the action that the driver asks for; the driver writes `None` where no action is needed.
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
    """The health of GPUs, driver and kernel.

    `health` is empty where nvidia-smi refuses to answer. `xids` is None where the kernel log cannot be read.
    `fabric_manager` is whether it is seen to run, with the installed version (empty where it is not installed).
    """

    health: tuple[GpuHealth, ...]
    xids: tuple[Xid, ...] | None
    nvswitch: bool
    fabric_manager: bool
    fabric_manager_version: str

    def of(self, uuid: str) -> GpuHealth | None:
        return next((one for one in self.health if one.uuid == uuid), None)


class RdmaPort(Fact):
    """One port of an RDMA device, in the kernel's own words: `ACTIVE`, `LinkUp`, `400 Gb/sec (4X NDR)`,
    `InfiniBand` or `Ethernet`. A word is empty where it cannot be read.

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

    `resolved` is the address of the host's own name, or None where the lookup took too long. `sources` maps each
    peer to our address on the route to its cluster address, empty where no route exists. `mtu` is that of the
    interface with our address.
    `environment` holds variables of the session that affect the network; for proxies only whether they are set.
    `peer_memory` is whether the kernel lets the network reach GPU memory, or None where this is unknown.
    """

    resolved: tuple[str, ...] | None
    sources: dict[str, str]
    mtu: int | None
    environment: dict[str, str]
    rdma: tuple[RdmaPort, ...]
    peer_memory: bool | None


class Stranger(Fact):
    """A process of a Ray or a vLLM that does not belong to this cluster; `age` is in seconds.

    `cluster` is the other cluster of the orchestrator that owns it, or empty.
    """

    pid: int
    kind: str
    user: str
    age: float
    cluster: str


class Hub(Fact):
    """The Hugging Face cache of a host: its path, and which files of the model it holds, complete or partial."""

    path: str
    free_mib: int | None
    held_mib: int


class Machine(Fact):
    """Memory, limits and processes of the host. Sizes are in MiB, and None where they could not be read.

    `memory_free_mib` is the memory available without swapping, within the container's limit. `memlock_binds` means
    that the host has RDMA devices and the limit applies to the user.
    `tasks` (soft) and `tasks_hard` limit the processes and threads of the user; -1 means no limit. `group_tasks`
    is the limit of our control group.
    `ended_at_logout` means that systemd ends the user's processes at logout. `state_system` is the type of the
    filesystem of the state directory.
    `hub` is None for a model that is a folder.
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
    """The packages in the venv, and the tools that its programs find.

    `ninja` and `compiler` are paths, found with the PATH of our units; empty where they are missing. `demands` are
    the requirements of the installed vLLM on the packages that we read versions of (PEP 508). `unimportable` are
    packages that the model's own code imports and the venv does not have.
    """

    ninja: str
    compiler: str
    demands: tuple[str, ...]
    unimportable: tuple[str, ...]


class GpuProcess(Fact):
    """A process on a GPU, as nvidia-smi lists it; `ours` when it belongs to one of our units.

    `used_mib` is None where nvidia-smi gives no value. `user` and `age` (in seconds) are unknown for a process
    that /proc does not show, for example inside a container.
    """

    pid: int
    name: str
    used_mib: int | None
    ours: bool
    user: str = ""
    age: float | None = None


class Gpu(Fact):
    """One GPU as nvidia-smi reports it. Memory is in MiB, None where nvidia-smi gives no value (GB10)."""

    index: int
    uuid: str
    name: str
    memory_mib: int | None
    used_mib: int | None
    processes: tuple[GpuProcess, ...] = ()


class Listener(Fact):
    """A process that listens on a port of interest. `pid` is 0 when the kernel hides it (a process of another
    user).

    `age` is in seconds, None where /proc does not show it.
    """

    port: int
    pid: int
    command: str
    ours: bool
    user: str = ""
    age: float | None = None


class Presence(StrEnum):
    """The state of a unit on a host."""

    ABSENT = "absent"
    ALIVE = "alive"
    DEAD = "dead"


class Launcher(Fact):
    """The operator who launched a unit.

    It holds the names of the operator and of their computer, and the unique id of the state folder that they work
    from.
    """

    owner: str
    machine: str
    state: str


class UnitState(Fact):
    """The state of one unit.

    DEAD means one of two states. The unit has a record and its keeper or leader has exited; `pids` may still be
    alive. Or it is a Ray without a process that it needs, named by `lost`.

    `fingerprint` covers everything that decides whether the unit is outdated, also the secrets of its environment.
    `argv` is kept for operators. `age` is in seconds. `launched_by` is None in a record of code that did not write
    it.
    """

    presence: Presence
    argv: tuple[str, ...] = ()
    fingerprint: str = ""
    pids: tuple[int, ...] = ()
    age: float = 0.0
    status: int | None = None
    lost: tuple[str, ...] = ()
    launched_by: Launcher | None = None


#: The files that a rank reads: weights, configuration, remote code, tokenizer and chat template. Other files are
#: for readers.
_READ = (
    ".safetensors", ".bin", ".pt", ".pth", ".gguf", ".json", ".py", ".model", ".tiktoken", ".jinja",
    "merges.txt", "vocab.txt",
)  # fmt: skip


def is_read(name: str) -> bool:
    """Returns whether a rank reads this file of the model."""
    return name.endswith(_READ) and not name.startswith(".")


class ModelFiles(Fact):
    """The model on a host: its folder, and the size in bytes of each file by name; `problem` when it is not
    usable.

    `config` is the text of its config.json, read on the head alone. It is empty where it could not be read.
    """

    path: str
    sizes: dict[str, int]
    problem: str = ""
    config: str = ""


class TakenFolder(Fact):
    """The obstacle at the path of one of our folders on a host, and its owner.

    The folder is the state directory, the user's folder in it, the cluster's, a unit's, or that of compile caches.
    """

    level: Literal["parent", "user", "cluster", "ray", "vllm", "cache"]
    kind: Literal["link", "no folder", "owner", "writable"]
    owner: str


class Facts(Fact):
    """All facts that one round trip brings from a host. Limits are hard limits, -1 is unlimited; sizes are in MiB.

    `clock` is the host's time of day in seconds: once at the start of the program, and once at its very end.
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
        """Returns the interface that holds `address`, or an empty text."""
        return next((name for name, held in self.addresses.items() if address in held), "")


class LaunchTarget(Protocol):
    """The facts of a host that its commands depend on: Facts, or a substitute for a host that was not asked."""

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
