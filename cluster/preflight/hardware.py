"""The health of GPUs and driver: models, MIG, memory errors, persistence, NVSwitch fabric, driver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

from cluster.engine import gpu
from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import Check, Evidence, blocking, finding, of_all, of_each, unchecked, warning
from cluster.values import Facts, Finding, Gpu, Severity
from cluster.values.facts import GpuHealth, Xid

_SMI = "nvidia-smi manual"
_MEMORY = "NVIDIA GPU Memory Error Management"
_FABRIC = "NVIDIA Fabric Manager User Guide; pytorch#35710, huggingface_hub#4128"


def _gpus(spec: HostSpec, facts: Facts, matches: Callable[[GpuHealth], object]) -> str:
    """Names the selected GPUs with a matching health, by index; empty where no GPU matches."""
    known = [(card.index, facts.hardware.of(card.uuid)) for card in gpu.selected(spec, facts)]
    indices = [str(index) for index, health in known if health and matches(health)]
    return f"GPU {', '.join(indices)}" if indices else ""


def same_model(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Compares the models of the GPUs.

    GPUs of the same compute capability run the same kernels, and the smallest GPU sets the limit for all. Ranks of
    another capability choose different backends for the same step.
    """
    cards = {host: gpu.selected(inventory.host(host), facts) for host, facts in evidence.facts.items()}
    every = [card for of_host in cards.values() for card in of_host]
    models, uneven = {card.name for card in every}, _uneven(every)
    if len(models) < 2 and not uneven:
        return
    kinds = {_capability(evidence.facts[host], card) for host, of_host in cards.items() for card in of_host}
    alike = len(models) < 2 or (len(kinds) == 1 and "" not in kinds)
    yield finding(
        "warning" if alike else "blocking",
        "; ".join(f"{host} has {_counted(of_host, uneven)}" for host, of_host in cards.items() if of_host),
        host="" if len(cards) > 1 else next(iter(cards)),
        wanted="one model of GPU on all hosts",
        why="the slowest and smallest GPU sets the limit for all"
        if alike
        else "ranks on GPUs of another architecture choose other kernels for the same step",
        cure="choose GPUs of one model: `gpu_ids:`, or other hosts",
        source="vLLM docs, parallelism and scaling: identical environment on every node",
    )


def _uneven(cards: list[Gpu]) -> bool:
    """Returns whether GPUs of one model differ in memory. The ECC setting takes a few percent of the memory."""
    sizes = [card.memory_mib for card in cards if card.memory_mib]
    return bool(sizes) and min(sizes) < 0.9 * max(sizes)


def _capability(facts: Facts, card: Gpu) -> str:
    health = facts.hardware.of(card.uuid)
    return health.capability if health else ""


def _counted(cards: tuple[Gpu, ...], uneven: bool) -> str:
    names = Counter(f"{card.name} of {card.memory_mib} MiB" if uneven else card.name for card in cards)
    return " and ".join(f"{number}x {name}" for name, number in names.items())


def mig(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    gpus = _gpus(spec, facts, lambda health: health.mig)
    if gpus:
        yield blocking(
            f"{gpus}: MIG mode is on",
            wanted="MIG mode off",
            why="CUDA gives a rank only one slice of such a GPU, and NCCL cannot connect slices",
            cure=f"sudo nvidia-smi -i {gpus.removeprefix('GPU ').replace(' ', '')} -mig 0",
            source="NVIDIA MIG User Guide, application considerations",
        )


def without_health(name: str) -> Check:
    """Returns a check that names the hosts where nvidia-smi reports no health."""

    def look(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
        if gpu.selected(spec, facts) and not facts.hardware.health:
            yield unchecked(
                "nvidia-smi reports no health",
                why="the driver is too old to report health, or nvidia-smi failed",
                cure="run `nvidia-smi -q` on the host",
                source=_SMI,
            )

    return of_each(name, look)


#: Blocking where NVIDIA requires a reset or a replacement of the GPU first. A pending row remap does not harm what
#: is started now. Errors that a GPU has repaired in its life are no finding: its rows are remapped.
_ERRORS: tuple[tuple[str, bool, Callable[[GpuHealth], object], str], ...] = (
    ("row remapping has failed", True, lambda health: health.rows_failed,
     "replace the GPU, or exclude it with `gpu_ids:`"),
    ("too many uncorrectable errors in SRAM", True, lambda health: health.sram_exceeded,
     "replace the GPU, or exclude it with `gpu_ids:`"),
    ("pages with errors wait to be retired", True, lambda health: health.pages_pending,
     "end the processes on the GPU and reset it: sudo nvidia-smi -r"),
    ("rows with errors wait to be remapped", False, lambda health: health.rows_pending and not health.rows_failed,
     "at a convenient time, end the processes on the GPU and reset it: sudo nvidia-smi -r"),
    ("uncorrected ECC errors since the driver was loaded", False,
     lambda health: health.uncorrected
     and not (health.rows_pending or health.rows_failed or health.pages_pending),
     "if vLLM crashes with ECC errors, reset the GPU (sudo nvidia-smi -r) and have it examined"),
)  # fmt: skip


def memory_errors(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for error, grave, has_it, cure in _ERRORS:
        gpus = _gpus(spec, facts, has_it)
        if gpus:
            yield finding(
                "blocking" if grave else "warning",
                f"{gpus}: {error}",
                wanted="none",
                why="an uncorrectable error crashes the rank that hits it, and then the whole engine",
                cure=cure,
                source=_MEMORY,
            )


def persistence(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    gpus = _gpus(spec, facts, lambda health: health.persistent is False)
    if gpus:
        yield warning(
            f"{gpus}: persistence mode is off",
            wanted="on",
            why="the driver unloads when no process uses the GPU; every start and every nvidia-smi then takes "
            "seconds",
            cure="sudo systemctl enable --now nvidia-persistenced",
            source="NVIDIA Driver Persistence",
        )


def fabric(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the NVSwitch fabric: until the fabric manager has admitted a GPU, CUDA fails on it with error 802."""
    refused = _gpus(spec, facts, lambda health: health.fabric_state and not _admitted(health))
    reported = _gpus(spec, facts, lambda health: health.fabric_state)
    versions = (facts.hardware.fabric_manager_version, facts.driver)
    if refused:
        yield _fabric("blocking", f"{refused}: fabric {_states(spec, facts)}{_other(versions)}")
    elif facts.hardware.nvswitch and all(versions) and len(set(versions)) > 1:
        yield _fabric("warning" if reported else "blocking", f"NVSwitches{_other(versions)}")
    elif facts.hardware.nvswitch and facts.gpus and not reported and not facts.hardware.fabric_manager:
        yield _fabric(
            "unchecked", "the host has NVSwitches, but the fabric state is unknown and no fabric manager was seen"
        )


def _admitted(health: GpuHealth) -> bool:
    return health.fabric_state == "Completed" and health.fabric_status in ("Success", "")


def _states(spec: HostSpec, facts: Facts) -> str:
    known = [facts.hardware.of(card.uuid) for card in gpu.selected(spec, facts)]
    refused = [health for health in known if health and not _admitted(health)]
    states = {f"{health.fabric_state} {health.fabric_status}".strip() for health in refused}
    return ", ".join(sorted(filter(None, states)))


def _other(versions: tuple[str, str]) -> str:
    manager, driver = versions
    return f", fabric manager {manager} with driver {driver}" if manager and manager != driver else ""


def _fabric(severity: Severity, found: str) -> Finding:
    return finding(
        severity,
        found,
        wanted="fabric Completed, and a fabric manager of the driver's version",
        why="CUDA fails with error 802, system not yet initialized",
        cure="install nvidia-fabricmanager of that version, then run: sudo systemctl restart nvidia-fabricmanager",
        source=_FABRIC,
    )


def driver(facts: dict[str, Facts]) -> Iterator[Finding]:
    """Compares the drivers of all hosts. A host where nvidia-smi fails has its own finding."""
    drivers = {host: known.driver for host, known in facts.items() if known.driver}
    if len(set(drivers.values())) > 1:
        yield blocking(
            ", ".join(f"{host} has {version}" for host, version in drivers.items()),
            wanted="the same driver on every host",
            why="another driver brings another CUDA and another kernel compiler: ranks fail late or silently",
            cure="install one version of the driver on all hosts",
            source="vLLM docs, parallelism and scaling: identical environment on every node",
        )


#: For these codes, NVIDIA's catalogue requires a reboot.
_REBOOT = {79}
#: For these codes, it requires a reset of the GPU or a check of its links. They are grave unless the driver itself
#: reports that this was done.
_RESET = {46, 48, 62, 64, 74, 95, 109, 110, 119, 120, 140, 143}
#: For these codes, it requires a restart of the program, or no action. Any program that crashes or is killed
#: leaves them.
_PASSED = {8, 11, 13, 25, 31, 32, 43, 45, 63, 68, 69, 92}
#: The line names the action that the driver asks for from now on.
_RECOVERY = 154
_SOURCE = "NVIDIA Xid catalog, docs.nvidia.com/deploy/xid-errors"


def logged(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Yields one finding for each GPU, as grave as the gravest error on it."""
    weighed = sorted(_weighed(spec, facts))
    for where, group in groupby(weighed, key=lambda entry: entry[0]):
        items = list(group)
        grave = any(blocking for _, blocking, _ in items)
        yield finding(
            "blocking" if grave else "warning",
            f"{where}: {', '.join(words for _, _, words in items)}",
            wanted="no such errors since the boot",
            why="a GPU in this state fails at load or in the middle of serving",
            cure="if the finding shows 79 or Reboot, reboot this host; otherwise end the processes on the GPU "
            "and reset it: "
            "sudo nvidia-smi -r",
            source=_SOURCE,
        )


def _weighed(spec: HostSpec, facts: Facts) -> Iterator[tuple[str, bool, str]]:
    """Yields for each error: the GPU, whether it is blocking, and its text."""
    by_uuid = {health.uuid: health for health in facts.hardware.health}
    mine = {card.uuid: f"GPU {card.index}" for card in gpu.selected(spec, facts)}
    for uuid, where in mine.items():
        if uuid in by_uuid and by_uuid[uuid].recovery not in ("", "None"):
            yield where, True, f"the driver asks for: {by_uuid[uuid].recovery}"
    for xid in facts.hardware.xids or ():
        on = next((health for health in facts.hardware.health if health.bus == xid.bus), None)
        if (on is None or on.uuid in mine) and _counts(xid):
            where = mine[on.uuid] if on else f"the GPU at {xid.bus}"
            yield where, _grave(xid, on), f"Xid {xid.code} ({xid.text[:80]})"


def _counts(xid: Xid) -> bool:
    return xid.code not in _PASSED and not (xid.code == _RECOVERY and xid.text.endswith("(None)"))


def _grave(xid: Xid, on: GpuHealth | None) -> bool:
    if xid.code in _REBOOT:
        return True
    return xid.code in {*_RESET, _RECOVERY} and (on is None or on.recovery != "None")


def unread(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Yields a finding where the kernel log cannot be read.

    Many hosts hide it from ordinary users. A recent driver reports by itself whether a GPU is healthy.
    """
    asked = [facts.hardware.of(card.uuid) for card in gpu.selected(spec, facts)]
    if asked and facts.hardware.xids is None and not all(health and health.recovery for health in asked):
        yield unchecked(
            "this user has no permission to read the kernel log",
            why="with this driver, only the kernel log shows whether a GPU has failed since the boot",
            cure="sudo usermod -aG adm,systemd-journal $USER, or run `sudo dmesg | grep -i xid` on the host",
            source=_SOURCE,
        )


CHECKS = (
    Check("gpu-model", same_model),
    of_each("gpu-mig", mig),
    without_health("gpu-mig"),
    of_each("gpu-ecc", memory_errors),
    without_health("gpu-ecc"),
    of_each("gpu-xid", logged),
    of_each("gpu-xid", unread),
    of_each("gpu-persistence", persistence),
    of_each("gpu-fabric-manager", fabric),
    of_all("gpu-driver", driver),
)
