"""Network: the cluster address is held by an interface, and our ports are free but for our own processes."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.catalogue import of_each
from cluster.values import Facts, Finding


def cluster_address(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if not facts.interface(spec.cluster_address):
        pairs = [(name, one) for name, held in facts.addresses.items() for one in held if name != "lo"]
        held = ", ".join(f"{one} ({name})" for name, one in pairs)
        yield Finding(
            "cluster-address", spec.name, "blocking", f"the host holds {held or 'none'}", spec.cluster_address,
            why="Ray and NCCL bind to it; a wrong one is a placement group that waits for half an hour",
            cure="correct `cluster_address:`, or bring the interface up",
        )  # fmt: skip


def ports(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for one in facts.listeners:
        if not one.ours:
            who = f"pid {one.pid} {one.command}" if one.pid else "a process of another user"
            yield Finding(
                "port-free", spec.name, "blocking", f"port {one.port} is taken by {who}", f"port {one.port} free",
                why="Ray or vLLM will not start",
                cure="end that process, or choose other ports under `ray:` and `serve:`",
            )  # fmt: skip


CHECKS = (of_each("cluster-address", cluster_address), of_each("port-free", ports))
