"""The questions to the hosts for a plan: facts from each, the model and vLLM's options from the head, all at
once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster.command import Probe, last_json, program
from cluster.errors import HostError
from cluster.inventory import Inventory
from cluster.state.observe import observe
from cluster.transport.fleet import Fleet, both
from cluster.values.base import Fact
from cluster.views import Observed

#: Seconds: the program allows two minutes for `vllm serve --help`.
_LIMIT = 150.0


class VllmOptions(Fact):
    """The config.json of the model on the head, and the options of its vLLM.

    They are None where they could not be read; the problems are the reasons.
    """

    config: Any
    problem: str
    options: tuple[str, ...] | None
    options_problem: str


@dataclass(frozen=True)
class Answers:
    """The answers of the hosts. `vllm_options` is the error where the head could not be asked."""

    seen: Observed
    vllm_options: VllmOptions | HostError


def ask(inventory: Inventory, fleet: Fleet) -> Answers:
    """Asks the hosts. It starts no unit and leaves no file. A host that does not answer is an answer too."""
    head = inventory.head.name
    seen, options = both(
        lambda: observe(inventory, fleet),
        lambda: fleet.each(lambda host: host.attend(vllm_options(inventory)), [head]),
    )
    return Answers(seen, options[head])


def vllm_options(inventory: Inventory) -> Probe[VllmOptions]:
    """Asks the head. It takes as long as the import of vLLM: 8 to 30 seconds."""
    venv, environment = inventory.runtime.venv, dict(inventory.head.environment)
    model = {
        "id": inventory.model.id,
        "revision": inventory.model.revision,
        "hf_home": environment.get("HF_HOME", ""),
        "hf_hub_cache": environment.get("HF_HUB_CACHE", ""),
    }
    payload = {"venv": venv, "model": model}
    title = "read the model and the options of vLLM"
    command = program("facts.vllm_options", payload, title=title, venv=venv, timeout=_LIMIT)
    return Probe(command, lambda output: VllmOptions.model_validate(last_json(output)))
