"""The model on these GPUs: whether it can be cut so, and has room. vLLM says so when it has loaded for minutes."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import Inventory
from cluster.model import Fit
from cluster.plan.results import Plan
from cluster.preflight.check import Check, Evidence, finding
from cluster.remote.facts.model import WEIGHTS
from cluster.values import Finding

#: Of what vLLM may take of a GPU, a share, and bytes at least. Of nine starts on H100s and H200s more was planned
#: than vLLM used: by 3 % or 1.9 GiB at most, part of which does not shrink with the GPU.
_DOUBT, _DOUBT_AT_LEAST = 0.05, 5 << 29
#: Files of weights that are so much smaller than what is planned are quantized in a way that nobody told.
_SMALLER = 0.8


def layout(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Repeats what the plan found of the layout."""
    for planned in evidence.plan.findings if evidence.plan else ():
        if planned.name == "layout":
            yield planned


def room(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    fit = evidence.plan.fit if evidence.plan else None
    if evidence.plan is None or fit is None or fit.fits is not False:
        return
    lacking = fit.lacking or 0
    yield finding(
        "blocking" if _certain(inventory, evidence, evidence.plan, fit) else "warning",
        f"{lacking / (1 << 30):,.1f} GiB are lacking on a GPU",
        wanted=f"room for the weights and the KV cache of a request of {fit.service.max_model_len:,} tokens",
        why="vLLM would load for minutes, and then be out of memory",
        cure=_cure(evidence.plan),
        source="compared with what vLLM said on H100s and H200s: docs/benchmarks.md",
    )


def _certain(inventory: Inventory, evidence: Evidence, plan: Plan, fit: Fit) -> bool:
    """Whether nothing that counts was left out, and more is lacking than plans were wrong by."""
    doubt = max(_DOUBT * (fit.budget or 0), _DOUBT_AT_LEAST)
    return (
        plan.exact and plan.measured and (fit.lacking or 0) > doubt and not _quantized(inventory, evidence, plan)
    )


def _quantized(inventory: Inventory, evidence: Evidence, plan: Plan) -> bool:
    head = evidence.facts.get(inventory.head.name)
    sizes = head.model.sizes if head else {}
    weights = sum(size for name, size in sizes.items() if name.endswith(WEIGHTS))
    return 0 < weights < _SMALLER * (plan.model.checkpoint or 0)


def _cure(plan: Plan) -> str:
    lever = next((lever for lever in plan.levers if not lever.fit.lacking), None)
    change = f"{lever.what} ({lever.change})" if lever else "none that was computed"
    return f"{change}; `orchestrator plan` shows all, `--skip model-fits` tries it all the same"


CHECKS = (Check("model-layout", layout, "planned"), Check("model-fits", room, "weighed"))
