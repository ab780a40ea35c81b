"""The record of one run: what was measured, under which conditions, and whether it counts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from cluster.bench.counters import Counts, Sample, Stored
from cluster.bench.figures import Figures
from cluster.bench.verdict import Verdict
from cluster.bench.workload import Cell, Cold, workload

#: The names of both sizes in results; older versions read them as well.
_TENSOR, _PIPELINE = "tensor_parallel", "pipeline_parallel"


class GpuAt(Stored):
    """One GPU: its clocks in MHz while it worked, None where they are unknown."""

    name: str
    memory_mib: int | None
    sm_clock: int | None = None
    max_sm_clock: int | None = None


class HostAt(Stored):
    """One host as it was during the run."""

    name: str
    gpus: tuple[GpuAt, ...]
    driver: str
    python: str
    versions: dict[str, str]


class Conditions(Stored):
    """The conditions of a run: runs of equal conditions can be averaged.

    `engine` is the argument list of `vllm serve`. `transport` carries the data between the hosts: it is gloo where
    the ranks are CPUs, and empty on one host.
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
        """Returns whether the ranks compute on CPUs: ranks that use gloo do, even where nvidia-smi shows GPUs, as
        in the sandbox."""
        return self.transport == "gloo"

    @property
    def dummy_weights(self) -> bool:
        """Returns whether the weights are random numbers: speed is then real, the generated text is not."""
        return any(
            word == "--load-format=dummy" or (word == "--load-format" and after == "dummy")
            for word, after in zip(self.engine, (*self.engine[1:], ""), strict=False)
        )

    def differences(self, other: Conditions) -> tuple[tuple[str, str, str], ...]:
        """Returns the differences that prevent an average: the name, our value, and the other value.

        Clocks change, and a transport may become known later, so both are left out.
        """
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
    """One run. `seed` and `command` are those of `vllm bench serve`, which ran on `origin`.

    `began` is ISO 8601. `seconds` is the time of the whole command, with its own start. `counts` and `figures` are
    None for a run without them.
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
    """A run with the server's counters during the run."""

    samples: tuple[Sample, ...] = ()

    @property
    def cell(self) -> Cell:
        return Cell(workload(self.workload), self.num_prompts, self.repeat)

    @property
    def notes(self) -> tuple[str, ...]:
        """Returns remarks about a run that still counts."""
        bunched = self.figures.bunched if self.figures else ""
        return (*self.verdict.notes, *([bunched] if bunched else []))

    @property
    def valid(self) -> bool:
        return self.verdict.outcome == "valid"
