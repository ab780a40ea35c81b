"""Network: the cluster address is held by an interface, and our ports are free but for our own processes."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import of_each
from cluster.values import Facts, Finding, Listener

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def cluster_address(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if not facts.interface(spec.cluster_address):
        pairs = [(name, one) for name, held in facts.addresses.items() for one in held if name != "lo"]
        held = ", ".join(f"{one} ({name})" for name, one in pairs)
        yield Finding(
            "cluster-address", spec.name, "blocking", f"the host holds {held or 'none'}", spec.cluster_address,
            why="Ray and NCCL bind to it; a wrong one is a placement group that waits for half an hour",
            cure="correct `cluster_address:`, or bring the interface up",
            source="vllm#7815, vllm#13388",
        )  # fmt: skip


def gloo(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """What our units set is right; the inventory's own word wins, and NCCL's way of writing it is not gloo's."""
    written = dict(spec.environment).get("GLOO_SOCKET_IFNAME")
    if inventory.uses_ray and written is not None and written not in facts.addresses:
        yield Finding(
            "cluster-address", spec.name, "blocking", f"GLOO_SOCKET_IFNAME={written}",
            f"one interface of this host: {', '.join(facts.addresses)}",
            why=f"gloo takes one name as it is: `Unable to find address for: {written}`",
            cure="remove GLOO_SOCKET_IFNAME from `environment:`: without it, our units get the right one",
            source="aws-do-eks#51",
        )  # fmt: skip


def ports(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for one in facts.listeners:
        if not one.ours:
            yield Finding(
                "port-free", spec.name, "blocking", f"port {one.port} is taken by {_who(one)}",
                f"port {one.port} free",
                why="Ray or vLLM will not start",
                cure=_end(one) + ", or choose other ports under `ray:` and `serve:`",
                source="vllm#8204, vllm#39015",
            )  # fmt: skip


def _who(one: Listener) -> str:
    if not one.pid:
        return f"a process of {one.user}" if one.user else "a process of another user"
    known = [f"of {one.user}"] * bool(one.user) + [f"for {_span(one.age)}" if one.age is not None else ""]
    return f"pid {one.pid} {one.command}" + (f" ({', '.join(filter(None, known))})" if any(known) else "")


def _end(one: Listener) -> str:
    return f"end pid {one.pid}" if one.pid else f"find it with `sudo ss -ltnp 'sport = :{one.port}'` and end it"


def _span(seconds: float) -> str:
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{seconds // size:g} {unit}"


CHECKS = (
    of_each("cluster-address", cluster_address),
    of_each("cluster-address", gloo),
    of_each("port-free", ports),
)
