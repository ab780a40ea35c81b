"""What can be queried, by the names that nvidia-smi gives it in requests and in the heading of its answer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .devices import Gpu, Machine, Process


class Field:
    def __init__(self, heading: str, value: Callable[[Machine, Gpu], object], unit: str = "") -> None:
        self.heading, self.value, self.unit = heading, value, unit


def _fact(name: str, otherwise: object) -> Callable[[Machine, Gpu], object]:
    """From the state file, so that a scenario can set any of these."""
    return lambda _, gpu: gpu.facts.get(name, otherwise)


GPU_FIELDS = {
    "index": Field("index", lambda _, gpu: gpu.minor),
    "uuid": Field("uuid", lambda _, gpu: gpu.uuid),
    "gpu_uuid": Field("uuid", lambda _, gpu: gpu.uuid),
    "name": Field("name", _fact("name", "")),
    "gpu_name": Field("name", _fact("name", "")),
    "count": Field("count", lambda machine, _: len(machine.gpus)),
    "driver_version": Field("driver_version", lambda machine, _: machine.driver_version),
    "memory.total": Field("memory.total", lambda machine, gpu: machine.total_mib(gpu), "MiB"),
    "memory.used": Field("memory.used", lambda machine, gpu: machine.used_mib(gpu), "MiB"),
    "memory.free": Field(
        "memory.free", lambda machine, gpu: machine.total_mib(gpu) - machine.used_mib(gpu), "MiB"
    ),
    "persistence_mode": Field("persistence_mode", _fact("persistence_mode", "Enabled")),
    "mig.mode.current": Field("mig.mode.current", _fact("mig_mode", "Disabled")),
    "ecc.errors.uncorrected.volatile.total": Field(
        "ecc.errors.uncorrected.volatile.total", _fact("ecc_uncorrected", 0)
    ),
    "ecc.errors.uncorrected.aggregate.sram.thresholdExceeded": Field(
        "ecc.errors.uncorrected.aggregate.sram.thresholdExceeded", _fact("sram_exceeded", "No")
    ),
    "retired_pages.pending": Field("retired_pages.pending", _fact("pages_pending", "[N/A]")),
    "remapped_rows.pending": Field("remapped_rows.pending", _fact("rows_pending", "No")),
    "remapped_rows.failure": Field("remapped_rows.failure", _fact("rows_failed", "No")),
    "fabric.state": Field("fabric.state", _fact("fabric_state", "Completed")),
    "fabric.status": Field("fabric.status", _fact("fabric_status", "Success")),
    "gpu_recovery_action": Field("gpu_recovery_action", _fact("recovery", "None")),
    "pci.bus_id": Field("pci.bus_id", lambda _, gpu: f"00000000:{gpu.minor + 16:02X}:00.0"),
    "compute_cap": Field("compute_cap", _fact("compute_cap", "9.0")),
    "pstate": Field("pstate", _fact("pstate", "P0")),
    "utilization.gpu": Field("utilization.gpu", _fact("utilization", 0), "%"),
    "temperature.gpu": Field("temperature.gpu", _fact("temperature", 33)),
    "clocks.sm": Field("clocks.current.sm", _fact("clock", 1980), "MHz"),
    "clocks.max.sm": Field("clocks.max.sm", _fact("max_clock", 1980), "MHz"),
}


class ProcessField:
    def __init__(self, heading: str, value: Callable[[Machine, Gpu, Process], object], unit: str = "") -> None:
        self.heading, self.value, self.unit = heading, value, unit


_USED = ProcessField("used_gpu_memory", lambda machine, _, __: machine.mib_per_process, "MiB")

PROCESS_FIELDS = {
    "gpu_uuid": ProcessField("gpu_uuid", lambda _, gpu, __: gpu.uuid),
    "gpu_name": ProcessField("gpu_name", lambda _, gpu, __: gpu.facts["name"]),
    "pid": ProcessField("pid", lambda machine, __, process: process.pid + machine.pid_offset),
    "process_name": ProcessField("process_name", lambda _, __, process: process.name),
    "name": ProcessField("process_name", lambda _, __, process: process.name),
    "used_memory": _USED,
    "used_gpu_memory": _USED,
}
