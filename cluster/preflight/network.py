"""Network: the cluster address, our ports, and the connections between all hosts."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.engine.endpoint import is_loopback
from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_each, of_tried, untried, warning
from cluster.values import Facts, Finding, Listener, Reach
from cluster.views import TrialResults

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def cluster_address(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if not facts.interface(spec.cluster_address):
        pairs = [(name, address) for name, each in facts.addresses.items() for address in each if name != "lo"]
        held = ", ".join(f"{address} ({name})" for name, address in pairs)
        yield blocking(
            f"addresses of this host: {held or 'none'}",
            wanted=spec.cluster_address,
            why="Ray and NCCL bind to it; with a wrong address, vLLM waits half an hour for a placement group",
            cure="correct `cluster_address:`, or bring the interface up",
            source="vllm#7815, vllm#13388",
        )


def listening(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Warns where the cluster address is IPv6 and the engine would listen on IPv4 alone."""
    if spec.role == "head" and inventory.serve.host == "0.0.0.0" and ":" in spec.cluster_address:
        yield warning(
            f"vLLM would listen at 0.0.0.0, on IPv4 only; the cluster address is {spec.cluster_address}",
            wanted="an address that clients can reach",
            why="`up` fails if it cannot reach the URL, and this shows only after the model is loaded",
            cure='write `serve: host: "::"`, which listens on IPv6 and IPv4',
        )


def open_endpoint(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    serve = inventory.serve
    if spec.role == "head" and serve.api_key is None and not is_loopback(serve.host):
        yield warning(
            f"vLLM listens at {serve.host}, port {serve.port}, without an API key",
            wanted="an API key, or an address that only this host reaches",
            why="everyone who reaches the port can use the model and vLLM's control routes",
            cure="set `serve: api_key:`, or `serve: host: 127.0.0.1` behind a proxy; if no one else can reach the"
            " network, accept it under `preflight: accept:`",
            source="docs.vllm.ai, Security: API key authentication limitations",
        )


def gloo(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks GLOO_SOCKET_IFNAME of the inventory.

    It replaces the value that our units set, and gloo does not accept NCCL's notation.
    """
    written = dict(spec.environment).get("GLOO_SOCKET_IFNAME")
    if inventory.uses_ray and written is not None and written not in facts.addresses:
        yield blocking(
            f"GLOO_SOCKET_IFNAME={written}",
            wanted=f"one interface of this host: {', '.join(facts.addresses)}",
            why=f"gloo accepts only one interface name: `Unable to find address for: {written}`",
            cure="remove GLOO_SOCKET_IFNAME from `environment:`: our units then get the right one",
            source="aws-do-eks#51",
        )


def ports(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for listener in facts.listeners:
        if not listener.ours:
            yield blocking(
                f"port {listener.port} is in use by {_who(listener)}",
                wanted=f"port {listener.port} free",
                why="Ray or vLLM would fail to start",
                cure=_end(listener) + ", or choose other ports under `ray:` and `serve:`",
                source="vllm#8204, vllm#39015",
            )


def _who(listener: Listener) -> str:
    if not listener.pid:
        return f"a process of {listener.user}" if listener.user else "a process of another user"
    known = [f"of {listener.user}"] * bool(listener.user)
    known += [f"for {_span(listener.age)}"] if listener.age is not None else []
    return f"pid {listener.pid} {listener.command}" + (f" ({', '.join(known)})" if known else "")


def _end(listener: Listener) -> str:
    if listener.pid:
        return f"end pid {listener.pid}"
    return f"find it with `sudo ss -ltnp 'sport = :{listener.port}'` and end it"


def _span(seconds: float) -> str:
    size, unit = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return f"{seconds // size:g} {unit}"


_REJECTED, _DROPPED = "refused", "timed out"
_MEANING = {
    _REJECTED: "a firewall of {peer} rejects the connection",
    _DROPPED: "a firewall of {peer}, or between the hosts, drops the packets",
    "lost what was sent": "large packets do not arrive: check the MTU of all interfaces and switches",
}


def let_through(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
    """Yields one finding for each peer, whatever the number of ports."""
    failed: dict[str, list[Reach]] = {}
    for reach in trials.reaches if isinstance(trials.reaches, tuple) else ():
        if reach.problem:
            failed.setdefault(reach.peer, []).append(reach)
    for peer, reaches in failed.items():
        yield _shut(spec, peer, reaches)


def _shut(spec: HostSpec, peer: str, failed: list[Reach]) -> Finding:
    by_problem: dict[str, list[str]] = {}
    for reach in failed:
        by_problem.setdefault(reach.problem, []).append(str(reach.port))
    ports_and_problems = "; ".join(f"{', '.join(ports)}: {problem}" for problem, ports in by_problem.items())
    means = [_MEANING[problem].format(peer=peer) for problem in by_problem if problem in _MEANING]
    return blocking(
        f"no connection to {peer} ({failed[0].address}), port {ports_and_problems}",
        wanted=f"a connection to every port of {peer}",
        why="; ".join([*means, "Ray does not join, or the ranks hang: NCCL and gloo use any port"]),
        cure=f"on {peer}, run ` ufw allow from {spec.cluster_address}`, or "
        f"`firewall-cmd --permanent --zone=trusted --add-source={spec.cluster_address} && firewall-cmd --reload`; "
        "`nft list ruleset` shows the rules; in a cloud, allow all TCP within the security group",
        source="vllm#8447, vllm#13778, vLLM docs: distributed troubleshooting",
    )


CHECKS = (
    of_each("cluster-address", cluster_address),
    of_each("cluster-address", listening),
    of_each("cluster-address", gloo),
    of_each("port-free", ports),
    of_each("open-endpoint", open_endpoint),
    of_tried("reach", let_through),
    untried(
        "reach",
        lambda trials: trials.reaches,
        wanted="a connection to every port of every peer",
        why="it is unknown whether a firewall blocks the hosts",
    ),
)
