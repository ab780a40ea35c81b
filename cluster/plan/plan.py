"""The plan, from the inventory, the shape of the model, and the memory of the GPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cluster.engine import gpu
from cluster.inventory import Inventory
from cluster.launch import vllm
from cluster.model import Architecture, Fit, Lever, UnknownModel, architecture, fit, levers
from cluster.model.layout import obstacles
from cluster.plan import lint, vllm_settings
from cluster.plan.arguments import Arguments
from cluster.plan.query import Answers, VllmOptions
from cluster.plan.results import Plan, PlannedModel
from cluster.plan.sources import Source, known_model, source, unknown_model
from cluster.plan.units import planned_hosts
from cluster.plan.vllm_settings import Card
from cluster.values import Facts, Finding
from cluster.views import Observed

_NO_MEMORY = "the memory of a GPU: write `min_gpu_memory_mib:` in the inventory"


def expected(inventory: Inventory, seen: Observed) -> Plan:
    """Returns the plan from the facts of the hosts; the options of the head's vLLM were not read."""
    head = seen.get(inventory.head.name)
    config = _read(head.facts.model.config) if head and head.facts else None
    not_asked = VllmOptions(
        config=config, problem="it was not read there", options=None, options_problem="the head was not asked"
    )
    return plan(inventory, Answers(seen, not_asked))


def _read(config: str) -> Any:
    try:
        return json.loads(config)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class _Weighed:
    model: PlannedModel
    fit: Fit | None = None
    measured: bool = False
    findings: tuple[Finding, ...] = ()
    levers: tuple[Lever, ...] = ()
    unknown: tuple[str, ...] = ()


def plan(inventory: Inventory, answers: Answers | None = None) -> Plan:
    """Returns the plan. `answers` None: no host was asked, and UID and INTERFACE stand for values that only a host
    knows."""
    arguments = Arguments(inventory.serve.arguments)
    seen = answers.seen if answers else {}
    weighed = _weigh(inventory, arguments, answers)
    unweighed = tuple(vllm_settings.unweighed(inventory, arguments))
    short = tuple(lint.short_forms(arguments))
    own = (*lint.backend(inventory, vllm.argv(inventory)), *short, *lint.without_value(arguments))
    unknown_options, unasked = _options(arguments, answers)
    return Plan(
        cluster=inventory.cluster,
        tensor_parallel_size=inventory.serve.tensor_parallel_size,
        pipeline_parallel_size=inventory.serve.pipeline_parallel_size,
        gpus=inventory.gpus,
        asked=answers is not None,
        model=weighed.model,
        fit=weighed.fit,
        measured=weighed.measured,
        findings=(*own, *unknown_options, *weighed.findings),
        levers=weighed.levers,
        unknown=(*weighed.unknown, *unweighed, *unasked),
        hosts=planned_hosts(inventory, seen),
        exact=not unweighed and not short,
    )


def _options(arguments: Arguments, answers: Answers | None) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Returns the options that vLLM does not know, and why this is unknown."""
    if answers is None:
        return (), ("whether the vLLM of the head knows these options: use --hosts to ask it",)
    answer = answers.vllm_options
    if not isinstance(answer, VllmOptions):
        return (), (f"whether the vLLM of the head knows these options: {answer.reason}",)
    if answer.options is None:
        return (), (f"whether the vLLM of the head knows these options: {answer.options_problem}",)
    return tuple(lint.unknown(arguments, answer.options)), ()


def _weigh(inventory: Inventory, arguments: Arguments, answers: Answers | None) -> _Weighed:
    origin = source(inventory, answers)
    try:
        shape = _shape(origin, arguments)
    except ValueError as problem:
        return _Weighed(unknown_model(inventory, origin, str(problem), answers is not None))
    seen = answers.seen if answers else {}
    model = known_model(inventory, origin, shape, seen)
    if inventory.serve.pipeline_parallel_size > shape.layers:
        # A stage without a layer has no weight.
        return _Weighed(model, findings=(_too_many_stages(inventory, shape),))
    try:
        fitted, card = _fitted(inventory, shape, arguments, seen)
        text_only = fitted.layout.text_only
    except UnknownModel as problem:
        return _Weighed(model, unknown=(str(problem),))
    except ValueError as problem:
        return _Weighed(
            model, findings=(Finding("argument", "", "blocking", str(problem), "a value that vLLM accepts"),)
        )
    findings = (
        *_room(model),
        *_obstacles(shape, fitted),
        *lint.ernie(inventory, shape, arguments, text_only),
        *lint.quantization(arguments),
        *lint.length(inventory, shape, fitted),
    )
    no_memory = _NO_MEMORY if answers else f"{_NO_MEMORY}, or use --hosts to ask the hosts"
    unknown = (*([] if card.memory else [no_memory]), *vllm_settings.padded(shape, fitted.layout, card))
    return _Weighed(model, fitted, card.measured, findings, _levers(inventory, shape, fitted), unknown)


def _shape(origin: Source, arguments: Arguments) -> Architecture:
    """Returns the architecture. Raises ValueError with the reason why it is unknown."""
    if origin.config is None:
        raise UnknownModel(origin.problem)
    if not isinstance(origin.config, dict):
        raise UnknownModel(f"{origin.name} is not a JSON object")
    return architecture(vllm_settings.overridden(origin.config, arguments))


def _fitted(inventory: Inventory, shape: Architecture, arguments: Arguments, seen: Observed) -> tuple[Fit, Card]:
    card = _card(inventory, seen)
    layout = vllm_settings.layout(inventory, shape, arguments)
    service = vllm_settings.service(inventory, shape, arguments, card)
    fitted = fit(shape, layout, service, card.memory)
    if vllm_settings.auto_length(arguments) and fitted.fits is False:
        fitted = fit(shape, layout, replace(service, max_model_len=fitted.longest or 1), card.memory)
    return fitted, card


def _card(inventory: Inventory, seen: Observed) -> Card:
    """Returns the smallest GPU of all hosts as they report it; the inventory's value counts for a host without a
    report."""
    views = [seen[spec.name].facts if spec.name in seen else None for spec in inventory.hosts]
    cards = [
        card
        for spec, facts in zip(inventory.hosts, views, strict=True)
        if facts
        for card in gpu.selected(spec, facts)
    ]
    sizes = [card.memory_mib for card in cards if card.memory_mib]
    if cards and None not in views and len(sizes) == len(cards):
        return Card(min(sizes) << 20, measured=True, name=cards[0].name, blackwell=_blackwell(views))
    declared = min(spec.min_gpu_memory_mib for spec in inventory.hosts)
    return Card(declared << 20 if declared else None)


def _blackwell(views: Sequence[Facts | None]) -> bool:
    health = [card for facts in views if facts for card in facts.hardware.health]
    return any(card.capability.startswith("10.") for card in health)


def _room(model: PlannedModel) -> Iterator[Finding]:
    """Warns of the fullest disk of the hosts without the model."""
    if model.free is not None and model.checkpoint is not None and model.free < model.checkpoint:
        yield Finding(
            "disk", "", "warning", f"{model.free >> 30} GiB for the model on the fullest disk without it",
            f"{model.checkpoint >> 30} GiB",
            why="each host reads the model from its own disk; a download that fills the disk fails after hours",
            cure="free space there, or set HF_HOME to a larger disk under `environment:`",
        )  # fmt: skip


def _obstacles(shape: Architecture, fitted: Fit) -> Iterator[Finding]:
    for obstacle in obstacles(shape, fitted.layout):
        yield Finding(
            "layout", "", "blocking", obstacle, "a layout that the model allows",
            why="every rank would fail while it builds the model",
            cure="use another tensor_parallel_size or pipeline_parallel_size",
            source="vLLM 0.32, built with its own classes",
        )  # fmt: skip


def _too_many_stages(inventory: Inventory, shape: Architecture) -> Finding:
    return Finding(
        "layout", "", "blocking",
        f"{inventory.serve.pipeline_parallel_size} stages, but the model has {shape.layers} layers",
        f"at most {shape.layers} pipeline stages",
        why="each stage computes whole layers: a stage without a layer has no work",
        cure="use a smaller `serve: pipeline_parallel_size:`, and a larger tensor_parallel_size or fewer GPUs",
    )  # fmt: skip


def _levers(inventory: Inventory, shape: Architecture, fitted: Fit) -> tuple[Lever, ...]:
    if fitted.fits is not False or fitted.memory is None:
        return ()
    return levers(shape, fitted, fitted.memory, gpus_a_host=min(spec.gpus for spec in inventory.hosts))
