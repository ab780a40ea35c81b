"""nvidia-smi's answers for people."""

from __future__ import annotations

from .fields import GPU_FIELDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .devices import Gpu, Machine

_EDGE = "+" + "-" * 89 + "+"
_CUDA = "13.0"


def listing(machine: Machine) -> Iterator[str]:
    for gpu in machine.gpus:
        yield f"GPU {gpu.minor}: {gpu.facts['name']} (UUID: {gpu.uuid})"


def details(machine: Machine) -> Iterator[str]:
    yield "\n==============NVSMI LOG==============\n"
    yield from _detail(0, "Driver Version", machine.driver_version)
    yield from _detail(0, "CUDA Version", _CUDA)
    yield from _detail(0, "Attached GPUs", len(machine.gpus))
    for gpu in machine.gpus:
        yield f"GPU {GPU_FIELDS['pci.bus_id'].value(machine, gpu)}"
        yield from _gpu_details(machine, gpu)


def _gpu_details(machine: Machine, gpu: Gpu) -> Iterator[str]:
    yield from _detail(4, "Product Name", gpu.facts["name"])
    yield from _detail(4, "Persistence Mode", GPU_FIELDS["persistence_mode"].value(machine, gpu))
    yield from _detail(4, "GPU UUID", gpu.uuid)
    yield "    Fabric"
    yield from _detail(8, "State", GPU_FIELDS["fabric.state"].value(machine, gpu))
    yield from _detail(8, "Status", GPU_FIELDS["fabric.status"].value(machine, gpu))
    yield "    FB Memory Usage"
    yield from _detail(8, "Total", f"{machine.total_mib(gpu)} MiB")
    yield from _detail(8, "Used", f"{machine.used_mib(gpu)} MiB")
    yield from _detail(8, "Free", f"{machine.total_mib(gpu) - machine.used_mib(gpu)} MiB")


def _detail(indent: int, name: str, value: object) -> Iterator[str]:
    yield f"{' ' * indent}{name}".ljust(42) + f": {value}"


def summary(machine: Machine) -> Iterator[str]:
    driver = machine.driver_version
    yield _EDGE
    yield f"| NVIDIA-SMI {driver:<20} Driver Version: {driver:<18} CUDA Version: {_CUDA:<9}|"
    yield "|" + "-" * 89 + "|"
    for gpu in machine.gpus:
        memory = f"{machine.used_mib(gpu)}MiB / {machine.total_mib(gpu)}MiB"
        utilization = f"{GPU_FIELDS['utilization.gpu'].value(machine, gpu)}%"
        yield f"| {gpu.minor:>3}  {gpu.facts['name']:<28} | {memory:>22} | {utilization:>8}      Default |"
    yield _EDGE
    yield ""
    yield from _process_table(machine)


def _process_table(machine: Machine) -> Iterator[str]:
    yield _EDGE
    yield "| Processes:".ljust(90) + "|"
    held = [(gpu, process) for gpu in machine.gpus for process in gpu.holders]
    for gpu, process in held:
        words = f"| {gpu.minor:>4} {process.pid:>12}      C   {process.name[:40]}"
        yield f"{words:<76}{machine.mib_per_process:>10}MiB |"
    if not held:
        yield "|  No running processes found".ljust(90) + "|"
    yield _EDGE
