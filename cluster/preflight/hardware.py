"""What GPUs and driver say of their health: models, MIG, memory errors, persistence, NVSwitch fabric, driver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from cluster.engine import gpu
from cluster.inventory import HostSpec, Inventory
from cluster.preflight import xids
from cluster.preflight.check import Check, Evidence, of_all, of_each
from cluster.values import Facts, Finding, Gpu, Severity
from cluster.values.hardware import GpuHealth

_SMI = "nvidia-smi manual"
_MEMORY = "NVIDIA GPU Memory Error Management"
_FABRIC = "NVIDIA Fabric Manager User Guide; pytorch#35710, huggingface_hub#4128"


def _those(spec: HostSpec, facts: Facts, sick: Callable[[GpuHealth], object]) -> str:
    """The chosen GPUs of which `sick` holds, by index; empty where there is none."""
    known = [(one.index, facts.hardware.of(one.uuid)) for one in gpu.selected(spec, facts)]
    found = [str(index) for index, health in known if health and sick(health)]
    return f"GPU {', '.join(found)}" if found else ""


def models(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Same compute capability: the same kernels run, and the smallest GPU decides for all. Another: other kernels,
    so that ranks choose different backends for one and the same step."""
    cards = {host: gpu.selected(inventory.host(host), facts) for host, facts in evidence.facts.items()}
    every = [one for found in cards.values() for one in found]
    if len({one.name for one in every}) < 2 and not _uneven(every):
        return
    kinds = {_capability(evidence.facts[host], one) for host, found in cards.items() for one in found}
    alike = len({one.name for one in every}) < 2 or (len(kinds) == 1 and "" not in kinds)
    yield Finding(
        "gpu-model", "" if len(cards) > 1 else next(iter(cards)), "warning" if alike else "blocking",
        "; ".join(f"{host} has {_counted(found, _uneven(every))}" for host, found in cards.items() if found),
        "one model of GPU on all hosts",
        why="the slowest and smallest GPU decides for all"
        if alike else "ranks on GPUs of another architecture choose other kernels for the same step",
        cure="choose GPUs of one model: `gpu_ids:`, or other hosts",
        source="vLLM docs, parallelism and scaling: identical environment on every node",
    )  # fmt: skip


def _uneven(cards: list[Gpu]) -> bool:
    """Of one model there may be GPUs with less memory; settings of ECC take a few percent of it."""
    sizes = [one.memory_mib for one in cards if one.memory_mib]
    return bool(sizes) and min(sizes) < 0.9 * max(sizes)


def _capability(facts: Facts, card: Gpu) -> str:
    health = facts.hardware.of(card.uuid)
    return health.capability if health else ""


def _counted(cards: tuple[Gpu, ...], uneven: bool) -> str:
    names = Counter(f"{one.name} of {one.memory_mib} MiB" if uneven else one.name for one in cards)
    return " and ".join(f"{number}x {name}" for name, number in names.items())


def mig(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    found = _those(spec, facts, lambda one: one.mig)
    if found:
        yield Finding(
            "gpu-mig", spec.name, "blocking", f"{found}: MIG mode is on", "MIG mode off",
            why="CUDA shows a rank no more than one slice of such a GPU, and NCCL cannot connect slices",
            cure=f"sudo nvidia-smi -i {found.removeprefix('GPU ').replace(' ', '')} -mig 0",
            source="NVIDIA MIG User Guide, application considerations",
        )  # fmt: skip


def untold(name: str) -> Check:
    def run(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
        if gpu.selected(spec, facts) and not facts.hardware.health:
            yield Finding(
                name, spec.name, "unchecked", "nvidia-smi does not answer questions about health",
                why="the driver is older than these questions, or nvidia-smi failed",
                cure="see `nvidia-smi -q` on the host", source=_SMI,
            )  # fmt: skip

    return of_each(name, run)


#: Blocking where NVIDIA wants the GPU reset or replaced first; a pending row remap does not harm what is started
#: now. What a GPU has had in all its life, and repaired, is no finding: its rows are remapped.
_ERRORS: tuple[tuple[str, bool, Callable[[GpuHealth], object], str], ...] = (
    ("row remapping has failed", True, lambda one: one.rows_failed, "have the GPU replaced, or leave it out"),
    ("too many uncorrectable errors in SRAM", True, lambda one: one.sram_exceeded,
     "have the GPU replaced, or leave it out"),
    ("pages with errors wait to be retired", True, lambda one: one.pages_pending,
     "end what uses the GPU and reset it: sudo nvidia-smi -r"),
    ("rows with errors wait to be remapped", False, lambda one: one.rows_pending and not one.rows_failed,
     "when convenient, end what uses the GPU and reset it: sudo nvidia-smi -r"),
    ("uncorrected ECC errors since the driver was loaded", False,
     lambda one: one.uncorrected and not (one.rows_pending or one.rows_failed or one.pages_pending),
     "if vLLM dies of ECC errors, reset the GPU (sudo nvidia-smi -r) and have it looked at"),
)  # fmt: skip


def memory_errors(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for words, grave, sick, cure in _ERRORS:
        found = _those(spec, facts, sick)
        if found:
            yield Finding(
                "gpu-ecc", spec.name, "blocking" if grave else "warning", f"{found}: {words}", "none",
                why="an uncorrectable error ends the rank that meets it, and with it the whole engine",
                cure=cure, source=_MEMORY,
            )  # fmt: skip


def persistence(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    found = _those(spec, facts, lambda one: one.persistent is False)
    if found:
        yield Finding(
            "gpu-persistence", spec.name, "warning", f"{found}: persistence mode is off", "on",
            why="the driver leaves the GPU with its last user: every start and every nvidia-smi takes seconds",
            cure="sudo systemctl enable --now nvidia-persistenced", source="NVIDIA Driver Persistence",
        )  # fmt: skip


def fabric(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """NVSwitch: until the fabric manager has admitted a GPU, CUDA fails on it with error 802."""
    out = _those(spec, facts, lambda one: one.fabric_state and not _admitted(one))
    told = _those(spec, facts, lambda one: one.fabric_state)
    versions = (facts.hardware.fabric_manager_version, facts.driver)
    if out:
        yield _fabric(spec, "blocking", f"{out}: fabric {_states(spec, facts)}{_other(versions)}")
    elif facts.hardware.nvswitch and all(versions) and len(set(versions)) > 1:
        yield _fabric(spec, "warning" if told else "blocking", f"NVSwitches{_other(versions)}")
    elif facts.hardware.nvswitch and facts.gpus and not told and not facts.hardware.fabric_manager:
        yield _fabric(
            spec, "unchecked", "NVSwitches, no state of the fabric, and no fabric manager is seen to run"
        )


def _admitted(one: GpuHealth) -> bool:
    return one.fabric_state == "Completed" and one.fabric_status in ("Success", "")


def _states(spec: HostSpec, facts: Facts) -> str:
    found = [facts.hardware.of(one.uuid) for one in gpu.selected(spec, facts)]
    bad = {f"{one.fabric_state} {one.fabric_status}".strip() for one in found if one and not _admitted(one)}
    return ", ".join(sorted(one for one in bad if one))


def _other(versions: tuple[str, str]) -> str:
    manager, driver = versions
    return f", fabric manager {manager} with driver {driver}" if manager and manager != driver else ""


def _fabric(spec: HostSpec, severity: Severity, found: str) -> Finding:
    return Finding(
        "gpu-fabric-manager", spec.name, severity, found, "fabric Completed, by a manager of the driver's version",
        why="CUDA fails with error 802, system not yet initialized",
        cure="install nvidia-fabricmanager of that version; sudo systemctl restart nvidia-fabricmanager",
        source=_FABRIC,
    )  # fmt: skip


def driver(facts: dict[str, Facts]) -> Iterator[Finding]:
    """A host whose nvidia-smi fails has a finding of its own."""
    found = {host: one.driver for host, one in facts.items() if one.driver}
    if len(set(found.values())) > 1:
        yield Finding(
            "gpu-driver", "", "blocking",
            ", ".join(f"{host} has {version}" for host, version in found.items()),
            "the same driver on every host",
            why="another driver is another CUDA and another compiler of kernels: ranks fail late or silently",
            cure="install one version of the driver on all hosts",
            source="vLLM docs, parallelism and scaling: identical environment on every node",
        )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("gpu-model", models),
    of_each("gpu-mig", mig),
    untold("gpu-mig"),
    of_each("gpu-ecc", memory_errors),
    untold("gpu-ecc"),
    of_each("gpu-xid", xids.logged),
    of_each("gpu-xid", xids.unread),
    of_each("gpu-persistence", persistence),
    of_each("gpu-fabric-manager", fabric),
    of_all("gpu-driver", driver),
)
