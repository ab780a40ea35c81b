"""The model's files, byte for byte the same on every host."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import Inventory
from cluster.preflight.check import Check, Evidence, blocking, untried
from cluster.values import Finding

_WANTED = "the same bytes on every host"
_WHY = "ranks would compute with different weights, and nothing would say so"


def same(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Compares the files that all hosts have: `model-equal` names the others."""
    results = {host: trials.hashes for host, trials in evidence.trials.items()}
    known = {host: hashes for host, hashes in results.items() if isinstance(hashes, dict) and hashes}
    everywhere = set.intersection(*map(set, known.values())) if known else set[str]()
    for host, hashes in known.items():
        wrong = [name for name in sorted(everywhere) if hashes[name] != _usual(name, inventory, known)]
        if wrong:
            yield _differs(host, wrong, hashes)


def _usual(name: str, inventory: Inventory, known: dict[str, dict[str, str]]) -> str:
    """Returns what most hosts have, and of several such hashes the head's."""
    values = [hashes[name] for hashes in known.values()]
    most = max(map(values.count, values))
    usual = [value for value in values if values.count(value) == most]
    of_head = known.get(inventory.head.name, {}).get(name, "")
    return of_head if of_head in usual else usual[0]


def _differs(host: str, wrong: list[str], hashes: dict[str, str]) -> Finding:
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return blocking(
        ", ".join(f"{name} ({hashes[name][:12]}…)" for name in wrong[:3]) + more,
        host=host,
        wanted=_WANTED,
        why=_WHY,
        cure=f"fetch or copy these files to {host} again",
    )


CHECKS = (
    Check("model-hashes", same, "hashed"),
    untried("model-hashes", lambda trials: trials.hashes, wanted=_WANTED, why=_WHY),
)
