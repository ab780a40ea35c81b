"""What the venv's own libraries can do on each host: CUDA through torch, and the model's configuration."""

from __future__ import annotations

from cluster.command import Probe, last_json, program
from cluster.engine.gpu import selected, unexplained_mib
from cluster.inventory import HostSpec, Inventory
from cluster.launch.environment import environment
from cluster.values import Facts, VenvCheck

#: With these vLLM reads the configuration otherwise than transformers would.
_OTHERWISE = ("--hf-config-path", "--config-format", "--hf-overrides", "--tokenizer-mode")

#: Seconds: torch and transformers from a cold disk, and a context on each GPU.
_LIMIT = 180.0


def venv_check(inventory: Inventory, spec: HostSpec, facts: Facts) -> Probe[VenvCheck]:
    """Tries the venv of a host that has one. Takes some hundred MiB of each GPU while it runs."""
    # Where vLLM has the memory there is none left for a context, and nothing would be learned.
    in_use = any(card.processes or unexplained_mib(card) for card in selected(spec, facts))
    payload = {
        "environment": environment(inventory, spec, facts),
        "gpus": 0 if in_use else spec.gpus,
        "model": _model(inventory, facts),
    }
    venv = inventory.runtime.venv
    command = program("trials.venv_check", payload, title="try the venv", venv=venv, timeout=_LIMIT)
    return Probe(command, lambda output: VenvCheck.model_validate(last_json(output)))


def _model(inventory: Inventory, facts: Facts) -> dict[str, object] | None:
    arguments = inventory.serve.arguments
    if facts.model.problem or any(word.partition("=")[0] in _OTHERWISE for word in arguments):
        return None
    return {
        "path": facts.model.path,
        "revision": inventory.model.revision,
        "trust": "--trust-remote-code" in arguments,
    }
