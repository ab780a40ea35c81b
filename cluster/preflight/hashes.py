"""The model's files, byte for byte the same on every host."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import Check, Evidence, of_tried
from cluster.probes.hashes import HASHING
from cluster.values import Finding
from cluster.views import TrialResults

_WHY = "ranks would compute with different weights, and nothing would say so"


def same(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Files that are not on all hosts, `model-equal` has named. Without a majority the head's counts."""
    known = {name: one.hashes for name, one in evidence.tried.items() if one.hashes}
    everywhere = set.intersection(*(set(one) for one in known.values())) if known else set()
    for host, hashes in known.items():
        wrong = [name for name in sorted(everywhere) if hashes[name] != _usual(name, inventory, known)]
        if wrong:
            yield _differs(host, wrong, hashes)


def _usual(name: str, inventory: Inventory, known: dict[str, dict[str, str]]) -> str:
    found = [one[name] for one in known.values()]
    most = max(map(found.count, found))
    usual = [one for one in found if found.count(one) == most]
    heads = known.get(inventory.head.name, {}).get(name, "")
    return heads if heads in usual else usual[0]


def _differs(host: str, wrong: list[str], hashes: dict[str, str]) -> Finding:
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return Finding(
        "model-hashes", host, "blocking",
        ", ".join(f"{name} ({hashes[name][:12]}…)" for name in wrong[:3]) + more, "the same bytes on every host",
        why=_WHY,
        cure=f"fetch or copy these files to {host} again",
    )  # fmt: skip


def untried(inventory: Inventory, spec: HostSpec, tried: TrialResults) -> Iterator[Finding]:
    for problem in tried.problems:
        if problem.doing == HASHING:
            yield Finding(
                "model-hashes", spec.name, "unchecked",
                f"{problem.doing}: {problem.cause or problem.said or 'failed'}", "the same bytes on every host",
                why=_WHY, cure=problem.cure,
            )  # fmt: skip


CHECKS = (Check("model-hashes", same, "hashed"), of_tried("model-hashes", untried))
