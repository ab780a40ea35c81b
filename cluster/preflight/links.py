"""Names, routes, links and proxies between the hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import Check, Evidence, finding, of_each, warning
from cluster.values import Facts, Finding, Severity

_PROXIES = ("grpc_proxy", "http_proxy", "https_proxy", "all_proxy")
_EXCEPT = ("no_grpc_proxy", "no_proxy", "NO_PROXY")
_OTHER_WAY = (
    "Ray and NCCL would use another network than declared, often a slow one; answers then take another route, "
    "and firewalls and reverse path filters drop them"
)
_FOR_GRPC = "RAY_grpc_enable_http_proxy"


def variables(spec: HostSpec, facts: Facts) -> dict[str, str]:
    """Returns the network variables that our units get: those of the session, replaced by those of the
    inventory."""
    return facts.links.environment | dict(spec.environment)


def hostname(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the host's own name.

    A warning only: our units set GLOO_SOCKET_IFNAME, so gloo does not look up the name.
    """
    problem = _problem_of_name(facts) if inventory.uses_ray else ""
    if problem:
        yield warning(
            f"{facts.hostname} {problem}",
            wanted="an address that an interface of this host holds",
            why="our units set the interface of gloo, but every other lookup of the name gives 127.0.0.1, as in "
            "`Gloo connectFullMesh failed … remote=[127.0.0.1]`",
            cure=f"write in /etc/hosts: `{spec.cluster_address} {facts.hostname}`, and no other line with this "
            "name",
            source="vllm#7074, vllm#19045",
        )


def _problem_of_name(facts: Facts) -> str:
    """Returns the problem with the address of the host's name. Gloo takes the first address that it can bind
    to."""
    if facts.links.resolved is None:
        return "does not resolve in time"
    if not facts.links.resolved:
        return "does not resolve"
    usable = [address for address in facts.links.resolved if _loopback(address) or facts.interface(address)]
    if not usable:
        return f"resolves to {facts.links.resolved[0]}, which is not an address of this host"
    return f"resolves to {usable[0]}" if _loopback(usable[0]) else ""


def _loopback(address: str) -> bool:
    """Returns whether it is a loopback address; False for a text that is not an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def routes(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Checks the routes between hosts. Hosts without their cluster address are left out: `cluster-address` reports
    them."""
    addresses = {name: inventory.host(name).cluster_address for name in evidence.facts}
    missing = {name for name, facts in evidence.facts.items() if not facts.interface(addresses[name])}
    for name, facts in evidence.facts.items():
        if name not in missing:
            yield from _routes(inventory, inventory.host(name), facts, missing)


def _routes(inventory: Inventory, spec: HostSpec, facts: Facts, missing: set[str]) -> Iterator[Finding]:
    own = facts.interface(spec.cluster_address)
    for peer in inventory.hosts:
        source, to = facts.links.sources.get(peer.name), f"{peer.name} ({peer.cluster_address})"
        if source is None or peer.name in missing:
            continue
        if not source:
            yield _route(spec, "blocking", f"no route to {to}", own, "Ray cannot join")
        elif facts.interface(source) != own:
            other = f"the route to {to} uses {facts.interface(source) or '?'} as {source}"
            yield _route(spec, "warning", other, own, _OTHER_WAY)


def _route(spec: HostSpec, severity: Severity, found: str, own: str, why: str) -> Finding:
    return finding(
        severity,
        found,
        host=spec.name,
        wanted=f"{own} as {spec.cluster_address}",
        why=why,
        cure="run `ip route get` to the peer; correct the route, or `cluster_address:`",
        source="vllm#8447, vllm#13521",
    )


def mtu(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Compares the MTU of all hosts.

    A warning only: TCP uses the smaller MTU where the hosts see each other directly. `reach` tries it.
    """
    known = {host: facts.links.mtu for host, facts in evidence.facts.items() if facts.links.mtu is not None}
    if not inventory.uses_ray or len(set(known.values())) < 2:
        return
    names = {host: evidence.facts[host].interface(inventory.host(host).cluster_address) for host in known}
    least = min(known.values())
    larger = [f"{host}: `ip link set dev {names[host]} mtu {least}`" for host in known if known[host] > least]
    yield warning(
        ", ".join(f"{host} has {known[host]} ({names[host]})" for host in known),
        wanted="the same MTU on every host",
        why="a switch or router that is set for the smaller MTU drops large packets: "
        "connections open and then hang",
        cure=f"{', '.join(larger)}; or raise it on all hosts and switches",
        source="NCCL troubleshooting: networking",
    )


def proxies(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the proxies of our units. Ray's gRPC ignores them by default (ray#6744); other clients do not."""
    ours = variables(spec, facts)
    proxied = [name for name in ours if name.lower() in _PROXIES and ours[name]]
    excepted = next((ours[name] for name in _EXCEPT if ours.get(name)), "")
    bare = [host.cluster_address for host in inventory.hosts if not _covers(excepted, host.cluster_address)]
    if not (inventory.uses_ray and proxied and bare):
        return
    through = ours.get(_FOR_GRPC, "").lower() in ("1", "true")
    yield finding(
        "blocking" if through else "warning",
        f"{', '.join(sorted(proxied))} set, but no_proxy does not name {', '.join(bare)}",
        wanted="no proxy between the hosts",
        why=f"with {_FOR_GRPC} gRPC uses the proxy: Ray does not join"
        if through
        else "HTTP between the hosts would use the proxy; so would all gRPC of Ray once "
        f"{_FOR_GRPC} is set, and then Ray does not join",
        cure="write under `environment:` of the inventory: no_proxy: "
        f"{','.join(filter(None, (excepted, *bare)))}  (and NO_PROXY the same)",
        source="ray#37757, ray#23865, ray#23526",
    )


def _covers(excepted: str, address: str) -> bool:
    """Returns whether no_proxy names the address, as gRPC reads it: addresses, networks, and all."""
    return any(word == "*" or _within(address, word) for word in map(str.strip, excepted.split(",")))


def _within(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


CHECKS = (
    of_each("hostname", hostname),
    Check("routes", routes),
    Check("mtu", mtu),
    of_each("proxies", proxies),
)
