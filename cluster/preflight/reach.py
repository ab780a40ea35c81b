"""Whether every host is let through to every other, as it was really tried."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_tried, untried
from cluster.values import Finding, Reach
from cluster.views import TrialResults

_REJECTED, _DROPPED = "refused", "timed out"
_MEANING = {
    _REJECTED: "a firewall of {peer} rejects it",
    _DROPPED: "a firewall of {peer}, or one on the way, drops it",
    "lost what was sent": "large packets are lost on the way: see the MTU of all interfaces and switches",
}


def let_through(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
    """Yields one finding for a peer, whatever the number of ports."""
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
        f"to {peer} ({failed[0].address}), port {ports_and_problems}",
        wanted=f"a connection to every port of {peer}",
        why="; ".join([*means, "Ray does not join, or the ranks hang: NCCL and gloo take any port"]),
        cure=f"on {peer}: `ufw allow from {spec.cluster_address}`, or "
        f"`firewall-cmd --permanent --zone=trusted --add-source={spec.cluster_address} && firewall-cmd --reload`; "
        "`nft list ruleset` shows what stands in the way; on a cloud, all TCP within the security group",
        source="vllm#8447, vllm#13778, vLLM docs: distributed troubleshooting",
    )


CHECKS = (
    of_tried("reach", let_through),
    untried(
        "reach",
        lambda trials: trials.reaches,
        wanted="a connection to every port of every peer",
        why="whether a firewall stands between the hosts is not known",
    ),
)
