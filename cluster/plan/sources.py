"""Where the shape of the model is known from: its config.json on the head, here, or what we know without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cluster.errors import HostError
from cluster.inventory import Inventory
from cluster.model import known_config
from cluster.plan.query import Answers, VllmOptions
from cluster.remote.facts.model import config_of


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
