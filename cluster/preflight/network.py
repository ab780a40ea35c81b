"""Network: the cluster address is held by an interface, and our ports are free but for our own processes."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_each
from cluster.values import Facts, Finding, Listener

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def cluster_address(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if not facts.interface(spec.cluster_address):
        pairs = [(name, address) for name, each in facts.addresses.items() for address in each if name != "lo"]
        held = ", ".join(f"{address} ({name})" for name, address in pairs)
        yield blocking(
            f"the host holds {held or 'none'}",
            wanted=spec.cluster_address,
            why="Ray and NCCL bind to it; a wrong one is a placement group that waits for half an hour",
            cure="correct `cluster_address:`, or bring the interface up",
            source="vllm#7815, vllm#13388",
        )


def gloo(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """A variable of the inventory wins over what our units set, and NCCL's way of writing it is not gloo's."""
    written = dict(spec.environment).get("GLOO_SOCKET_IFNAME")
    if inventory.uses_ray and written is not None and written not in facts.addresses:
        yield blocking(
            f"GLOO_SOCKET_IFNAME={written}",
            wanted=f"one interface of this host: {', '.join(facts.addresses)}",
            why=f"gloo takes one name as it is: `Unable to find address for: {written}`",
            cure="remove GLOO_SOCKET_IFNAME from `environment:`: without it, our units get the right one",
            source="aws-do-eks#51",
        )


def ports(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for listener in facts.listeners:
        if not listener.ours:
            yield blocking(
                f"port {listener.port} is taken by {_who(listener)}",
                wanted=f"port {listener.port} free",
                why="Ray or vLLM will not start",
                cure=_end(listener) + ", or choose other ports under `ray:` and `serve:`",
                source="vllm#8204, vllm#39015",
            )


def _who(listener: Listener) -> str:
    if not listener.pid:
        return f"a process of {listener.user}" if listener.user else "a process of another user"
    known = [f"of {listener.user}"] * bool(listener.user) + [
        f"for {_span(listener.age)}" if listener.age is not None else ""
    ]
    return f"pid {listener.pid} {listener.command}" + (
        f" ({', '.join(filter(None, known))})" if any(known) else ""
    )


def _end(listener: Listener) -> str:
    return (
        f"end pid {listener.pid}"
        if listener.pid
        else f"find it with `sudo ss -ltnp 'sport = :{listener.port}'` and end it"
    )


def _span(seconds: float) -> str:
    size, unit = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return f"{seconds // size:g} {unit}"


CHECKS = (
    of_each("cluster-address", cluster_address),
    of_each("cluster-address", gloo),
    of_each("port-free", ports),
)
