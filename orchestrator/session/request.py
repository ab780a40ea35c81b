"""What was asked for on the command line, in plain values: `--help` must not wait for pydantic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cluster.bench.workload import Cold, Origin, Workload

if TYPE_CHECKING:
    from orchestrator.local.settings import Output


@dataclass(frozen=True)
class BenchArguments:
    """`seed` None: any; `results` None: a new folder. `layouts` are tensor times pipeline parallelism."""

    workloads: tuple[Workload, ...]
    num_prompts: tuple[int, ...]
    rate: float
    repeat: int
    cold: Cold
    origin: Origin
    seed: int | None
    results: Path | None
    layouts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Request:
    """`path` None: the inventory last used (of `cluster`).

    `keep` and `wait` are of `up` and `down`, `restart`, `recreate` and `yes` of `up`, `skip` of `up` and `check`;
    `strict`, `deep`, `fabric` and `all` are of `check`, `ask_hosts` of `plan`, `watch` of `status`, `to` of
    `diagnose`, `reason` of `unlock`; `hosts` (none: all) of `logs` and `exec`, `units` (none: ray and vllm),
    `lines` and `follow` of the one, `timeout` and `command` of the other; `bench`, `folders`, `form` and `to` of
    `bench`.
    """

    verb: str
    path: Path | None
    cluster: str | None
    output: Output
    keep: bool = False
    restart: bool = False
    recreate: bool = False
    yes: bool = False
    wait: bool = False
    skip: tuple[str, ...] = ()
    strict: bool = False
    deep: bool = False
    fabric: bool = False
    all: bool = False
    ask_hosts: bool = False
    reason: str = ""
    hosts: tuple[str, ...] = ()
    units: tuple[Literal["ray", "vllm", "ranks"], ...] = ()
    lines: int = 0
    follow: bool = False
    timeout: float = 0.0
    command: tuple[str, ...] = ()
    to: Path | None = None
    watch: bool = False
    bench: BenchArguments | None = None
    folders: tuple[Path, ...] = ()
    form: str = ""
