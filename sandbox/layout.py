"""What a sandbox consists of, decided before anything is made."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FOLDER = Path("/run/orchestrator-sandbox")
MODEL = Path("/models/ernie-4.5-vl-tiny")
PORTS = (22, 2222)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Engine = Literal["vllm", "scripted"]


@dataclass(frozen=True)
class Order:
    """What was asked for."""

    name: str
    hosts: int
    gpus: int
    engine: Engine
    owner: int | None = None
    real: bool = False
    """The machine's own GPUs, dealt out host by host, instead of files that stand for some."""
    model: Path = MODEL
    first_gpu: int = 0

    @property
    def folder(self) -> Path:
        return FOLDER / self.name


@dataclass(frozen=True)
class HostLayout:
    name: str
    address: str
    cluster_address: str
    gpu_ids: tuple[int, ...] | None = None
    """The GPUs as this machine counts them; None where a host has its own, which are all its."""


@dataclass(frozen=True)
class Layout:
    """The order, with the addresses that were free on this machine."""

    order: Order
    number: int

    @property
    def link(self) -> str:
        """This machine's end of the cable into the sandbox."""
        return f"sandbox{self.number}"

    @property
    def gateway(self) -> str:
        return f"10.66.{self.number}.1"

    @property
    def hosts(self) -> tuple[HostLayout, ...]:
        return tuple(
            HostLayout(
                f"node{i}", f"10.66.{self.number}.{i + 2}", f"10.67.{self.number}.{i + 2}", self._gpu_ids(i)
            )
            for i in range(self.order.hosts)
        )

    def _gpu_ids(self, host: int) -> tuple[int, ...] | None:
        each = self.order.gpus
        first = self.order.first_gpu + host * each
        return tuple(range(first, first + each)) if self.order.real else None


def home() -> Path:
    """Root's, who alone works on the hosts."""
    return Path("~root").expanduser()


def venv() -> Path:
    """The environment that the hosts run Ray and vLLM from: the one this program runs in."""
    return Path(sys.prefix)


def interpreter() -> Path:
    """The Python below the venv, for programs that need the standard library alone and must start fast."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()
