"""InfiniBand and RoCE: ports that are up and alike, addresses that NCCL can use, and the way to GPU memory."""

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
    """The ports that NCCL would look at; none where hosts have nothing to say to each other."""
    if _off(inventory, spec, facts):
        return ()
    fits = _filter(variables(spec, facts).get(_HCA, ""))
    return tuple(port for port in facts.links.rdma if fits(port))


def _filter(written: str) -> Callable[[RdmaPort], bool]:
    """`mlx5` is a prefix, `=mlx5_1:2` a name and a port, and `^` means all others."""
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
        f"{_HCA}={written} fits none of this host's devices ({there})",
        wanted="a device of this host",
        why="NCCL falls back to TCP, or stops with `no device found`",
        cure=f"correct {_HCA} in the `environment:` of this host, or leave it out",
        source=_MANUAL + _HCA,
    )


def _off(inventory: Inventory, spec: HostSpec, facts: Facts) -> bool:
    return not inventory.uses_ray or variables(spec, facts).get(_OFF, "0") not in ("", "0")


def down(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """A port that is down everywhere is one that nobody uses, unless it was asked for by name."""
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
    """Devices asked for by their whole name; `mlx5` alone means whatever there is."""
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
        why="NCCL leaves it out: the ranks share fewer links, fall back to TCP, or wait for each other",
        cure="ibstat; Polling or Disabled: the cable, the transceiver, the switch's port; "
        "INIT: no subnet manager runs, see `systemctl status opensm` or the switch",
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
            wanted="as many on every host",
            why="ranks over InfiniBand and ranks over TCP never meet"
            if lacking
            else "the host with the fewest is the pace of all",
            cure="look for the lost card in `lspci | grep -i mellanox` and `dmesg`, "
            f"or name those to use in {_HCA} for each host",
            source="vllm#8447, " + _MANUAL + _HCA,
        )


def rates(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Compares hosts port by port; ports of a host only where they were chosen: storage has its own cards."""
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
        why="the slowest link is the pace of all ranks",
        cure="ibstatus, `mlxlink -d DEVICE -m`: a cable that is not quite in trains at a lower rate",
        source="NVIDIA manual: ibstatus",
    )


def gids(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Beside InfiniBand that is up, Ethernet is for the machine itself unless it was asked for by name."""
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
            why="NCCL cannot reach the peer over it: `ibv_modify_qp failed`, or it falls back to TCP",
            cure="show_gids; give the interface its IPv4 address, "
            + (f"correct {_GID}, or leave it out" if index is not None else f"or name others in {_HCA}"),
            source=_MANUAL + _GID,
        )


def _indices(port: RdmaPort) -> str:
    return f"them at {', '.join(map(str, port.roce_gids))}" if port.roce_gids else "none"


def peer_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    up = any(port.active for port in selected(inventory, spec, facts))
    if not up or facts.links.peer_memory:
        return
    unknown = facts.links.peer_memory is None
    yield finding(
        "unchecked" if unknown else "warning",
        "neither /proc/modules nor /proc/driver/nvidia/version tells"
        if unknown
        else "nvidia_peermem is not loaded, and the driver has closed kernel modules (no DMA-BUF)",
        wanted="GPUDirect RDMA: nvidia_peermem, or the open kernel modules",
        why="without it every byte between the hosts goes through host memory: NET/IB instead of NET/IB/GDRDMA",
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
