"""What `plan` says to a program."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from cluster.model import Fit, Lever, PipelineStage
from cluster.model.overhead import Share
from cluster.plan.results import Plan, PlannedHost, PlannedModel
from cluster.values import Finding
from orchestrator.render.plan import PlannedPhase


class StageDocument(TypedDict):
    """A GPU of one pipeline stage, in bytes, and its `first` and `last` layer."""

    first: int
    last: int
    weights: int
    offloaded: int
    parts: Sequence[Share]
    beside: Sequence[Share]
    kv_per_token: int
    left: int | None


class FitDocument(TypedDict):
    """Whether the model fits. Sizes are in bytes; null: the memory of the GPUs is not known."""

    stages: Sequence[StageDocument]
    memory: int | None
    measured: bool
    utilization: float
    budget: int | None
    max_model_len: int
    kv_tokens: int | None
    requests: float | None
    fits: bool | None
    lacking: int | None


class LeverDocument(TypedDict):
    """What would help, alone, and what the plan would say then."""

    what: str
    change: str
    weights: int
    kv_tokens: int
    requests: float
    lacking: int


class WholePlan(TypedDict):
    """`asked`: the hosts were asked. Not `exact`: some arguments are in none of the figures."""

    cluster: str
    tensor_parallel: int
    pipeline_parallel: int
    gpus: int
    asked: bool
    model: PlannedModel
    fit: FitDocument | None
    findings: Sequence[Finding]
    levers: Sequence[LeverDocument]
    unknown: Sequence[str]
    hosts: Sequence[PlannedHost]
    exact: bool


class PlanDocument(TypedDict):
    """The plan, and on top what a script would compare with the log of vLLM. `runs` is false where it cannot."""

    cluster: str
    runs: bool
    fits: bool | None
    weights_bytes_per_gpu: int | None
    kv_bytes_per_token_per_gpu: int | None
    kv_cache_tokens: int | None
    plan: WholePlan
    phases: Sequence[PlannedPhase]


def document(plan: Plan, phases: Sequence[PlannedPhase]) -> PlanDocument:
    fit = plan.fit
    return {
        "cluster": plan.cluster,
        "runs": plan.runs,
        "fits": fit.fits if fit else None,
        "weights_bytes_per_gpu": fit.largest.weights if fit else None,
        "kv_bytes_per_token_per_gpu": max(stage.kv_per_token for stage in fit.stages) if fit else None,
        "kv_cache_tokens": fit.kv_tokens if fit else None,
        "plan": _plan(plan),
        "phases": phases,
    }


def _plan(plan: Plan) -> WholePlan:
    return {
        "cluster": plan.cluster,
        "tensor_parallel": plan.tensor_parallel_size,
        "pipeline_parallel": plan.pipeline_parallel_size,
        "gpus": plan.gpus,
        "asked": plan.asked,
        "model": plan.model,
        "fit": _fit(plan.fit, plan.measured) if plan.fit else None,
        "findings": plan.findings,
        "levers": [_lever(lever) for lever in plan.levers],
        "unknown": plan.unknown,
        "hosts": plan.hosts,
        "exact": plan.exact,
    }


def _fit(fit: Fit, measured: bool) -> FitDocument:
    return {
        "stages": [_stage(stage) for stage in fit.stages],
        "memory": fit.memory,
        "measured": measured,
        "utilization": fit.service.utilization,
        "budget": fit.budget,
        "max_model_len": fit.service.max_model_len,
        "kv_tokens": fit.kv_tokens,
        "requests": fit.requests,
        "fits": fit.fits,
        "lacking": fit.lacking,
    }


def _stage(stage: PipelineStage) -> StageDocument:
    return {
        "first": stage.layers[0],
        "last": stage.layers[-1],
        "weights": stage.weights,
        "offloaded": stage.offloaded,
        "parts": stage.parts,
        "beside": stage.beside,
        "kv_per_token": stage.kv_per_token,
        "left": stage.left,
    }


def _lever(lever: Lever) -> LeverDocument:
    return {
        "what": lever.what,
        "change": lever.change,
        "weights": lever.fit.largest.weights,
        "kv_tokens": lever.fit.kv_tokens or 0,
        "requests": lever.fit.requests or 0.0,
        "lacking": lever.fit.lacking or 0,
    }
