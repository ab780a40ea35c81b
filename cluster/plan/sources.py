"""The model of a plan: where its shape is known from, and what is said of it, known or not.

Its config.json is looked for on the head, then here, then among those that we know without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cluster.errors import HostError
from cluster.inventory import Inventory
from cluster.model import Architecture, known_config
from cluster.model.fit import checkpoint_bytes, parameters
from cluster.model.layout import BYTES
from cluster.plan.query import Answers, VllmOptions
from cluster.plan.results import PlannedModel
from cluster.remote.facts.model import config_of
from cluster.values import Facts
from cluster.views import Observed


@dataclass(frozen=True)
class Source:
    """`config` None: nobody has it; then `problem` says what was tried."""

    config: Any
    name: str = ""
    problem: str = ""


def source(inventory: Inventory, answers: Answers | None) -> Source:
    """The first that has it: what will be served goes before what lies here, and both before what is known."""
    problems = []
    for candidate in _candidates(inventory, answers):
        if candidate.config is not None:
            return candidate
        problems.append(candidate.problem)
    return Source(None, problem="; ".join(problems))


def _candidates(inventory: Inventory, answers: Answers | None) -> Iterator[Source]:
    head = inventory.head.name
    if answers is not None:
        yield _head(head, answers.vllm_options)
    config, problem = config_of(
        {"id": inventory.model.id, "revision": inventory.model.revision, "hf_home": "", "hf_hub_cache": ""}
    )
    yield Source(config, "config.json on this machine", f"here: {problem}")
    known = known_config(inventory.model.id)
    yield Source(known, "known without its config.json", "it is none of the models that are known without it")


def _head(head: str, answer: VllmOptions | HostError) -> Source:
    if isinstance(answer, HostError):
        return Source(None, problem=f"{head}: {answer.reason}")
    return Source(answer.config, f"config.json on {head}", f"{head}: {answer.problem}")


_ADVICE = "give config.json: put the model's folder or its cache here"


def unknown_model(inventory: Inventory, source: Source, problem: str, hosts_asked: bool) -> PlannedModel:
    """A model whose shape nobody could read."""
    advice = _ADVICE if hosts_asked else f"{_ADVICE}, or ask the head with --hosts"
    reason = f"{problem} ({advice})" if source.config is None else problem
    return PlannedModel(inventory.model.id, "", source.name, "", (), None, problem=reason)


def known_model(inventory: Inventory, source: Source, shape: Architecture, seen: Observed) -> PlannedModel:
    element = BYTES.get(shape.dtype, 2)
    return PlannedModel(
        id=inventory.model.id,
        architecture=shape.name,
        source=source.name,
        dtype=shape.dtype,
        parameters=tuple(parameters(shape).items()),
        checkpoint=checkpoint_bytes(shape, element),
        free=_free(view.facts for view in seen.values()),
    )


def _free(facts: Iterable[Facts | None]) -> int | None:
    """The least room of any host that has the model not yet."""
    hubs = [host.machine.hub for host in facts if host and host.model.problem]
    rooms = [hub.free_mib + hub.held_mib for hub in hubs if hub and hub.free_mib is not None]
    return min(rooms) << 20 if rooms else None
