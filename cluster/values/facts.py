"""What was seen of hosts and units. Frozen, all of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from cluster.values.base import Fact
from cluster.values.hardware import Hardware
from cluster.values.links import Links
from cluster.values.machine import Machine
from cluster.values.software import Software


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


class UnitState(Fact):
    """What was seen of one unit. DEAD: a record whose keeper or leader is gone, `pids` may still be alive; or a
    Ray that has `lost` a process without which it is none.

    `fingerprint` covers everything that decides whether the unit is still the wanted one, the secrets of its
    environment too; `argv` is kept for people. `age` is in seconds.
    """

    presence: Presence
    argv: tuple[str, ...] = ()
    fingerprint: str = ""
    pids: tuple[int, ...] = ()
    age: float = 0.0
    status: int | None = None
    lost: tuple[str, ...] = ()


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
        """Of what is installed there."""

    def interface(self, address: str) -> str:
        """The interface that holds `address`."""
