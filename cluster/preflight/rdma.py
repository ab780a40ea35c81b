"""InfiniBand and RoCE: ports that are up and alike, addresses that NCCL can use, and access to GPU memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import Check, Evidence, blocking, finding, of_each, warning
from cluster.preflight.links import variables
from cluster.values import Facts, Finding, RdmaPort, Severity

_HCA, _GID, _OFF = "NCCL_IB_HCA", "NCCL_IB_GID_INDEX", "NCCL_IB_DISABLE"
_MANUAL = "NCCL environment variables: "

Chosen = dict[str, tuple[RdmaPort, ...]]


def selected(inventory: Inventory, spec: HostSpec, facts: Facts) -> tuple[RdmaPort, ...]:
    """Returns the ports that NCCL would use; none for a single host."""
    if _off(inventory, spec, facts):
        return ()
    fits = _filter(variables(spec, facts).get(_HCA, ""))
    return tuple(port for port in facts.links.rdma if fits(port))


def _filter(written: str) -> Callable[[RdmaPort], bool]:
    """Returns a filter of ports. `mlx5` is a prefix, `=mlx5_1:2` a name and a port, and `^` inverts the filter."""
    excluding, words = written.startswith("^"), written.lstrip("^")
    exact, names = words.startswith("="), [word for word in words.lstrip("=").split(",") if word]

    def named(port: RdmaPort) -> bool:
        for name, _, number in (word.partition(":") for word in names):
            fits = port.device == name if exact else port.device.startswith(name)
            if fits and number in ("", str(port.port)):
                return True
        return False

    return lambda port: not names or named(port) != excluding


def _chosen(inventory: Inventory, evidence: Evidence) -> Chosen:
    return {host: selected(inventory, inventory.host(host), facts) for host, facts in evidence.facts.items()}


def nothing(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    written, ports = variables(spec, facts).get(_HCA, ""), facts.links.rdma
    if _off(inventory, spec, facts) or not written or selected(inventory, spec, facts):
        return
    there = ", ".join(dict.fromkeys(port.device for port in ports)) or "none"
    yield blocking(
        f"{_HCA}={written} matches no device of this host ({there})",
        wanted="a device of this host",
        why="NCCL falls back to TCP, or fails with `no device found`",
        cure=f"correct {_HCA} in the `environment:` of this host, or remove it",
        source=_MANUAL + _HCA,
    )


def _off(inventory: Inventory, spec: HostSpec, facts: Facts) -> bool:
    return not inventory.uses_ray or variables(spec, facts).get(_OFF, "0") not in ("", "0")


def down(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Checks the state of ports. A port that is down on all hosts is unused, unless it was named explicitly."""
    chosen = _chosen(inventory, evidence)
    up = {(port.device, port.port) for ports in chosen.values() for port in ports if port.active}
    for host, ports in chosen.items():
        asked = _asked(inventory, evidence, host)
        none = not any(port.active for port in ports)
        reported = [
            port for port in ports
            if not port.active
            and (none or port.device in asked or port.physical == "LinkUp" or (port.device, port.port) in up)
        ]  # fmt: skip
        if reported:
            worst = (none and up) or any(port.device in asked for port in reported)
            yield _down(host, reported, "blocking" if worst else "warning")


def _asked(inventory: Inventory, evidence: Evidence, host: str) -> set[str]:
    """Returns the devices that are named in full; `mlx5` alone means all devices."""
    written = variables(inventory.host(host), evidence.facts[host]).get(_HCA, "")
    words = [] if written.startswith("^") else written.lstrip("=").split(",")
    return {word.partition(":")[0] for word in words}


def _down(host: str, ports: list[RdmaPort], severity: Severity) -> Finding:
    states = ", ".join(f"{_name(port)} is {port.state or '?'} ({port.physical or '?'})" for port in ports)
    return finding(
        severity,
        states,
        host=host,
        wanted="ACTIVE (LinkUp)",
        why="NCCL does not use it: the ranks share fewer links, fall back to TCP, or wait for each other",
        cure="run ibstat; for Polling or Disabled, check the cable, the transceiver and the switch's port; "
        "for INIT, start a subnet manager: `systemctl status opensm`, or the switch",
        source="vllm#8447, NVIDIA manual: ibstat",
    )


def _name(port: RdmaPort) -> str:
    return f"{port.device} port {port.port}"


def number(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    chosen = _chosen(inventory, evidence)
    counted = {host: len({port.device for port in ports}) for host, ports in chosen.items()}
    if len(set(counted.values())) > 1:
        lacking = 0 in counted.values()
        yield finding(
            "blocking" if lacking else "warning",
            "RDMA devices: " + ", ".join(f"{host} has {count or 'none'}" for host, count in counted.items()),
            wanted="the same number on every host",
            why="ranks over InfiniBand cannot connect to ranks over TCP"
            if lacking
            else "the host with the fewest devices limits all hosts",
            cure="find the missing card with `lspci | grep -i mellanox` and `dmesg`, "
            f"or name the devices to use in {_HCA} for each host",
            source="vllm#8447, " + _MANUAL + _HCA,
        )


def rates(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Compares hosts port by port. Ports within a host count only where they were named: storage has its own
    cards."""
    chosen = _chosen(inventory, evidence)
    by_port: dict[str, dict[str, str]] = {}
    for host, ports in chosen.items():
        for port in ports:
            if port.active and port.rate:
                by_port.setdefault(_name(port), {})[host] = port.rate
        asked = _asked(inventory, evidence, host)
        chosen_ports = [port for port in ports if port.active and port.device in asked]
        if len({port.rate for port in chosen_ports}) > 1:
            yield _unlike(host, ", ".join(f"{_name(port)}: {port.rate}" for port in chosen_ports))
    unlike = {port: each for port, each in by_port.items() if len(set(each.values())) > 1}
    if unlike:
        each_has = {port: [f"{host} has {rate}" for host, rate in each.items()] for port, each in unlike.items()}
        yield _unlike("", "; ".join(f"{port}: {', '.join(each)}" for port, each in each_has.items()))


def _unlike(host: str, rates: str) -> Finding:
    return warning(
        rates,
        host=host,
        wanted="the same rate",
        why="the slowest link limits all ranks",
        cure="run ibstatus and `mlxlink -d DEVICE -m`; a cable that is not fully plugged in gets a lower rate",
        source="NVIDIA manual: ibstatus",
    )


def gids(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the GIDs of Ethernet ports.

    Beside active InfiniBand, Ethernet serves the host itself, unless it was named explicitly.
    """
    ours, ports = variables(spec, facts), [port for port in selected(inventory, spec, facts) if port.active]
    ethernet = [port for port in ports if port.layer == "Ethernet"]
    if len(ethernet) < len(ports) and not ours.get(_HCA):
        return
    written = ours.get(_GID, "")
    index = int(written) if written.isdigit() else None
    bare = [
        port for port in ethernet if (index not in port.roce_gids if index is not None else not port.roce_gids)
    ]
    if bare:
        yield finding(
            "blocking" if index is not None or len(bare) == len(ethernet) else "warning",
            ", ".join(f"{_name(port)} has {_indices(port)}" for port in bare),
            wanted="a RoCE v2 GID of an IPv4 address" + (f" at {_GID}={index}" if index is not None else ""),
            why="NCCL cannot reach the peer over it (`ibv_modify_qp failed`), or falls back to TCP",
            cure="run show_gids; give the interface its IPv4 address, "
            + (f"correct {_GID}, or remove it" if index is not None else f"or name other devices in {_HCA}"),
            source=_MANUAL + _GID,
        )


def _indices(port: RdmaPort) -> str:
    return f"GIDs at {', '.join(map(str, port.roce_gids))}" if port.roce_gids else "none"


def peer_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    up = any(port.active for port in selected(inventory, spec, facts))
    if not up or facts.links.peer_memory:
        return
    unknown = facts.links.peer_memory is None
    yield finding(
        "unchecked" if unknown else "warning",
        "/proc/modules and /proc/driver/nvidia/version do not show it"
        if unknown
        else "nvidia_peermem is not loaded, and the driver has closed kernel modules (no DMA-BUF)",
        wanted="GPUDirect RDMA: nvidia_peermem, or the open kernel modules",
        why="without it every byte passes through host memory: NET/IB instead of NET/IB/GDRDMA",
        cure="sudo modprobe nvidia_peermem; to keep it: `echo nvidia_peermem | "
        "sudo tee /etc/modules-load.d/nvidia-peermem.conf`",
        source="NCCL troubleshooting: GPU Direct RDMA, vllm#6610",
    )


CHECKS = (
    of_each("rdma-links", nothing),
    Check("rdma-links", down),
    Check("rdma-links", number),
    Check("rdma-links", rates),
    of_each("rdma-gid", gids),
    of_each("rdma-peermem", peer_memory),
)
