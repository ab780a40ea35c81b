"""What `plan` shows: how large, whether it fits and what would make it fit, and commands that would run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cluster.model import Fit, Lever, PipelineStage
from cluster.plan.results import Plan, PlannedHost, PlannedUnit
from orchestrator.render import findings
from orchestrator.render.text import Marks, clean, count, duration

_GIB = 1 << 30
_HIDDEN = "**********"


@dataclass(frozen=True)
class PlannedPhase:
    """A phase of `up`: what it waits for, and its timeout in seconds (None: it waits for nothing). If `progress`
    is set, the timeout counts time without progress. `skipped` is the reason to skip it. `only` is the
    condition under which it acts, for hosts without facts."""

    title: str
    waits: str
    patience: float | None
    progress: bool
    skipped: str
    only: str = ""


def text(plan: Plan, phases: Sequence[PlannedPhase], marks: Marks) -> str:
    """Text for an operator."""
    parts = [
        [f"plan {plan.cluster}: {_who(plan)}", *_silent(plan, marks), "", *_model(plan)],
        *([_sizes(plan, plan.fit, stage, marks) for stage in plan.fit.stages] if plan.fit else []),
        list(_verdict(plan, marks)),
        list(_levers(plan.levers, marks)),
        findings.rows(plan.findings, marks),
        list(_commands(plan)),
        list(_phases(phases, marks)),
        list(_unknown(plan, marks)),
    ]
    return "\n".join("\n".join([*part, ""]) for part in parts if part).rstrip("\n")


def _who(plan: Plan) -> str:
    if not plan.asked:
        return "no host was asked"
    if not plan.silent:
        return "as its hosts report"
    asked = [clean(host.name) for host in plan.hosts if not host.problem]
    return f"as {', '.join(asked)} alone report{'s' * (len(asked) == 1)}" if asked else "no host could be asked"


def _silent(plan: Plan, marks: Marks) -> Iterator[str]:
    """Before all else: what follows is not what these say."""
    for host in plan.silent:
        yield f"  {marks.failed} {clean(host.name)}: it could not be asked: {clean(host.problem)}"
        if host.cure:
            yield f"    next   {clean(host.cure)}"


def _gib(size: int) -> str:
    return f"{size / _GIB:,.1f}"


def _model(plan: Plan) -> Iterator[str]:
    model = plan.model
    yield "model"
    if model.problem:
        yield f"  {clean(model.id)}: its size is unknown: {clean(model.problem)}"
        return
    yield f"  {clean(model.id)}, {clean(model.architecture)} ({clean(model.source)})"
    total = sum(number for _, number in model.parameters)
    disk = f"{_gib(model.checkpoint)} GiB on the disk of every host" if model.checkpoint else ""
    room = f", where the fullest has {_gib(model.free)}" if model.free is not None else ""
    yield f"  {total / 1e9:,.1f} billion parameters in {clean(model.dtype)}, {disk}{room}"


def _sizes(plan: Plan, fit: Fit, stage: PipelineStage, marks: Marks) -> list[str]:
    """What one GPU of this pipeline stage holds."""
    hosts = len(plan.hosts)
    layers = f", layers {stage.layers[0]} to {stage.layers[-1]}" if len(fit.stages) > 1 else ""
    layout = (
        f"TP{plan.tensor_parallel_size} {marks.times} PP{plan.pipeline_parallel_size} over {count(hosts, 'host')}"
    )
    rows = [(part.what, part.size, "") for part in sorted(stage.parts, key=lambda part: -part.size)]
    if stage.offloaded:
        rows.append(("of it in the memory of the host", -stage.offloaded, ""))
    rows.append(("weights in all", stage.weights, "as vLLM's `Model loading took` will report"))
    rows += [(share.what, share.size, "assumed" if share.assumed else "") for share in stage.beside]
    if stage.left is not None:
        rows.append(("left for the KV cache", stage.left, f"{stage.kv_per_token:,} bytes a token"))
    rows += _budget(fit, plan.measured)
    width = max(len(name) for name, _, _ in rows)
    lines = [f"  {name:<{width}}  {_gib(size):>8}  {note}".rstrip() for name, size, note in rows]
    return [
        f"on each of {count(plan.gpus // plan.pipeline_parallel_size, 'GPU')}, in GiB ({layout}{layers})",
        *lines,
    ]


def _budget(fit: Fit, measured: bool) -> list[tuple[str, int, str]]:
    if fit.budget is None or fit.memory is None:
        return []
    whose = "that the GPUs report" if measured else "that the inventory declares"
    note = f"{fit.service.utilization:.0%} of the {_gib(fit.memory)} {whose}, less what CUDA reserves"
    return [("what vLLM may take", fit.budget, note)]


def _verdict(plan: Plan, marks: Marks) -> Iterator[str]:
    fit = plan.fit
    if fit is None:
        return
    length = f"{fit.service.max_model_len:,} tokens"
    if fit.fits is None:
        kept = f", a KV cache of {fit.kv_tokens:,} tokens" if fit.kv_tokens is not None else ""
        yield f"{marks.unknown} unknown whether it fits{kept}"
    elif fit.fits:
        kept = f"a KV cache of {fit.kv_tokens:,} tokens"
        yield f"{marks.done} it fits: {kept}, {fit.requests:.1f} requests of {length}"
    else:
        lacking = f"{_gib(fit.lacking or 0)} GiB are missing on a GPU"
        yield f"{marks.failed} it does not fit: {lacking}, with a request of {length}"


def _levers(levers: Sequence[Lever], marks: Marks) -> Iterator[str]:
    if levers:
        yield "changes that would help, each alone"
    for lever in levers:
        fit = lever.fit
        if fit.lacking:
            yield f"  {marks.failed} {lever.what}: {_gib(fit.lacking)} GiB would still be missing ({lever.change})"
        else:
            rest = f"{_gib(fit.largest.weights)} GiB of weights, {fit.requests:.1f} requests of full length"
            yield f"  {marks.done} {lever.what}: {rest} ({lever.change})"


def _commands(plan: Plan) -> Iterator[str]:
    """Says once what several have in common: of all hosts at the end, of both units of a host before them."""
    common = _common([unit for host in plan.hosts for unit in host.units])
    yield "commands that would run"
    for host in plan.hosts:
        yield from _host(host, common)
    yield "  everywhere"
    yield from (f"    {_assignment(*pair)}" for pair in common)
    if not plan.asked or plan.silent:
        yield f"  only the hosts know UID and INTERFACE{'' if plan.asked else ': --hosts asks them'}"


def _common(units: Sequence[PlannedUnit]) -> list[tuple[str, str]]:
    return [pair for pair in units[0].environment if all(pair in unit.environment for unit in units)]


def _host(host: PlannedHost, everywhere: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"  {clean(host.name)}, the {host.role}"
    if host.problem:
        yield f"    it could not be asked: {clean(host.problem)}"
    here = [pair for pair in _common(host.units) if pair not in everywhere]
    yield from (f"    {_assignment(*pair)}" for pair in here)
    for unit in host.units:
        yield f"    {clean(shlex.join(unit.command))}"
        yield from (f"      {line}" for line in _own(unit, (*everywhere, *here)))


def _own(unit: PlannedUnit, common: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from (_assignment(*pair) for pair in unit.environment if pair not in common)
    yield from (f"{clean(name)}={_HIDDEN}" for name in unit.secrets)


def _assignment(name: str, value: str) -> str:
    return f"{clean(name)}={clean(shlex.quote(value))}"


def _phases(phases: Sequence[PlannedPhase], marks: Marks) -> Iterator[str]:
    yield "phases of `up`, and their timeouts"
    width = max((len(phase.title) for phase in phases), default=0)
    for phase in phases:
        mark = marks.skipped if phase.skipped else marks.idle
        yield f"  {mark} {phase.title:<{width}}  {_waits(phase)}".rstrip()


def _waits(phase: PlannedPhase) -> str:
    if phase.skipped:
        return f"skipped: {clean(phase.skipped)}"
    if phase.only:
        return f"only where {phase.only}"
    if phase.patience is None:
        return ""
    if not phase.patience:
        return f"{phase.waits}: not waited for"
    return f"{phase.waits}: {duration(phase.patience)}{' without progress' if phase.progress else ''}"


def _unknown(plan: Plan, marks: Marks) -> Iterator[str]:
    if plan.unknown:
        yield "unknown"
    yield from (f"  {marks.unknown} {clean(gap)}" for gap in plan.unknown)
