"""The model: on every host, the same files of the same sizes."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.catalogue import of_all, of_each
from cluster.values import Facts, Finding


def present(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if not facts.model.problem:
        return
    if inventory.model.download:
        yield Finding(
            "model", spec.name, "warning", facts.model.problem, "the model on this host",
            why="`download: true`: every rank of this host waits for the download, which nobody shows",
        )  # fmt: skip
        return
    yield Finding(
        "model", spec.name, "blocking", facts.model.problem, "the whole model on this host",
        why="each rank reads it from its own host, and would fetch it there in silence",
        cure=f"hf download {inventory.model.id}  (on {spec.name}), or `download: true`"
        if not inventory.model.id.startswith("/") else f"copy {inventory.model.id} to {spec.name}",
    )  # fmt: skip


def equal(facts: dict[str, Facts]) -> Iterator[Finding]:
    """Compared with the first host that has the model."""
    complete = {host: one.model for host, one in facts.items() if not one.model.problem}
    first = next(iter(complete), None)
    for host, model in complete.items():
        if first is None or model.sizes == complete[first].sizes:
            continue
        names = sorted({*model.sizes.items()} ^ {*complete[first].sizes.items()})
        differing = ", ".join(dict.fromkeys(name for name, _ in names))
        yield Finding(
            "model-equal", host, "blocking", f"differs from {first} in {differing[:200]}",
            "the same files and sizes",
            why="ranks would compute with different weights",
            cure=f"copy the model from {first} again",
        )  # fmt: skip


CHECKS = (of_each("model", present), of_all("model-equal", equal))
