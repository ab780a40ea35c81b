"""One run as it is kept: what was measured, on what, and whether it counts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from cluster.bench.counters import Counts, Sample, Stored
from cluster.bench.figures import Figures
from cluster.bench.verdict import Verdict
from cluster.bench.workload import Cell, Cold, workload

#: The names of both sizes in results, which older versions read as well.
_TENSOR, _PIPELINE = "tensor_parallel", "pipeline_parallel"


class GpuAt(Stored):
    """One GPU: its clocks in MHz while it worked, None where nobody could ask."""

    name: str
    memory_mib: int | None
    sm_clock: int | None = None
    max_sm_clock: int | None = None


class HostAt(Stored):
    """One host as it was."""

    name: str
    gpus: tuple[GpuAt, ...]
    driver: str
    python: str
    versions: dict[str, str]


class Conditions(Stored):
    """What was measured: two runs of equal conditions can be averaged.

    `engine` is the argument list of `vllm serve`; `transport` is what carries data between the hosts, gloo where
    the ranks are CPUs, empty on one host.
    """

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    cluster: str
    model: str
    tensor_parallel_size: int = Field(validation_alias=_TENSOR, serialization_alias=_TENSOR)
    pipeline_parallel_size: int = Field(validation_alias=_PIPELINE, serialization_alias=_PIPELINE)
    hosts: tuple[HostAt, ...]
    engine: tuple[str, ...]
    transport: str = ""
    kv_cache_tokens: int | None = None

    @property
    def layout(self) -> str:
        return f"TP{self.tensor_parallel_size} × PP{self.pipeline_parallel_size}"

    @property
    def gpus(self) -> tuple[GpuAt, ...]:
        return tuple(gpu for host in self.hosts for gpu in host.gpus)

    @property
    def on_cpus(self) -> bool:
        """Ranks that talk through gloo compute on CPUs, whatever nvidia-smi says of GPUs, as in the sandbox."""
        return self.transport == "gloo"

    @property
    def dummy_weights(self) -> bool:
        """Random numbers in place of weights: speed is real then, words are not."""
        return any(
            word == "--load-format=dummy" or (word == "--load-format" and after == "dummy")
            for word, after in zip(self.engine, (*self.engine[1:], ""), strict=False)
        )

    def differences(self, other: Conditions) -> tuple[tuple[str, str, str], ...]:
        """What keeps runs of the two from being averaged: what it is, ours, and that of the other. Clocks change,
        and a transport may become known later."""
        pairs = zip(self._identity(), other._identity(), strict=True)
        return tuple((what, ours, theirs) for (what, ours), (_, theirs) in pairs if ours != theirs)

    def _identity(self) -> tuple[tuple[str, str], ...]:
        versions = [", ".join(map(" ".join, sorted(host.versions.items()))) for host in self.hosts]
        return (
            ("cluster", self.cluster),
            ("model", self.model),
            ("layout", self.layout),
            ("hosts", ", ".join(host.name for host in self.hosts)),
            ("GPUs", ", ".join(gpu.name for gpu in self.gpus)),
            ("driver", ", ".join(host.driver for host in self.hosts)),
            ("versions", "; ".join(versions)),
            ("vllm serve", " ".join(self.engine)),
        )


def _known_workload(word: str) -> str:
    workload(word)
    return word


class RunWithoutSamples(Stored):
    """`seed` and `command` are those of `vllm bench serve`, which ran on `origin`.

    `began` is ISO 8601, `seconds` the time of the whole command with its own start. `counts` and `figures` are
    None of a run that brought none.
    """

    schema_version: Literal[1] = 1
    workload: Annotated[str, AfterValidator(_known_workload)]
    num_prompts: int
    repeat: int
    attempt: int
    rate: float
    seed: int
    cold: Cold
    origin: str
    began: str
    seconds: float
    command: tuple[str, ...]
    verdict: Verdict
    conditions: Conditions
    counts: Counts | None = None
    figures: Figures | None = None


class Run(RunWithoutSamples):
    """A run with the server's counters while it went."""

    samples: tuple[Sample, ...] = ()

    @property
    def cell(self) -> Cell:
        return Cell(workload(self.workload), self.num_prompts, self.repeat)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing of it though it counts."""
        bunched = self.figures.bunched if self.figures else ""
        return (*self.verdict.notes, *([bunched] if bunched else []))

    @property
    def valid(self) -> bool:
        return self.verdict.outcome == "valid"
