"""The model of a plan, known or unknown, and the origin of its shape.

Its config.json is searched on the head, then here, then among the models that are known without it.
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
    """A source of the config. `config` None: no source has it, and `problem` lists the attempts."""

    config: Any
    name: str = ""
    problem: str = ""


def source(inventory: Inventory, answers: Answers | None) -> Source:
    """Returns the first source that has it: the head's files count before the files here, and both before known
    models."""
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
    yield Source(known, "known without its config.json", "the model is not known without it")


def _head(head: str, answer: VllmOptions | HostError) -> Source:
    if isinstance(answer, HostError):
        return Source(None, problem=f"{head}: {answer.reason}")
    return Source(answer.config, f"config.json on {head}", f"{head}: {answer.problem}")


_ADVICE = "provide config.json: copy the model's folder or its cache to this machine"


def unknown_model(inventory: Inventory, source: Source, problem: str, hosts_asked: bool) -> PlannedModel:
    """Returns a model of unknown shape."""
    advice = _ADVICE if hosts_asked else f"{_ADVICE}, or use --hosts to ask the head"
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
    """Returns the least free space of all hosts that do not have the model yet."""
    hubs = [host.machine.hub for host in facts if host and host.model.problem]
    rooms = [hub.free_mib + hub.held_mib for hub in hubs if hub and hub.free_mib is not None]
    return min(rooms) << 20 if rooms else None
