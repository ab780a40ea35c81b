"""The model on these GPUs: whether it can be cut so, and has room. vLLM says so when it has loaded for minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cluster.inventory import Inventory
from cluster.preflight.catalogue import Check, Evidence
from cluster.values import Finding, Plan

#: A share of what vLLM may take of a GPU. Of nine starts on H100s and H200s more was planned than vLLM used, by
#: 0.03 at most.
_DOUBT = 0.05


def layout(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    for one in evidence.plan.findings if evidence.plan else ():
        if one.name == "layout":
            yield replace(one, name="model-layout")


def room(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    fit = evidence.plan.fit if evidence.plan else None
    if evidence.plan is None or fit is None or fit.fits is not False:
        return
    lacking, budget = fit.lacking or 0, fit.budget or 0
    yield Finding(
        "model-fits", "", "blocking" if lacking > _DOUBT * budget else "warning",
        f"{lacking / (1 << 30):,.1f} GiB are lacking on a GPU",
        f"room for the weights and the KV cache of a request of {fit.max_model_len:,} tokens",
        why="vLLM would refuse to start once it has loaded all weights",
        cure=_cure(evidence.plan),
        source="compared with what vLLM said on H100s and H200s: docs/benchmarks.md",
    )  # fmt: skip


def _cure(plan: Plan) -> str:
    found = next((one for one in plan.levers if not one.lacking), None)
    return f"{found.change}; `orchestrator plan` computes others" if found else "see `orchestrator plan`"


CHECKS = (Check("model-layout", layout, "planned"), Check("model-fits", room, "planned"))
