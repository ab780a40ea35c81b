"""What the venv's own libraries can do on each host: CUDA through torch, and the model's configuration."""

from __future__ import annotations

from cluster.command import Probe, last_json, program
from cluster.engine.gpu import selected, unexplained_mib
from cluster.inventory import HostSpec, Inventory
from cluster.launch.environment import environment
from cluster.values import Facts, VenvCheck

TRYING = "try the venv"

#: With these vLLM reads the configuration otherwise than transformers would.
_OTHERWISE = ("--hf-config-path", "--config-format", "--hf-overrides", "--tokenizer-mode")

#: Seconds: torch and transformers from a cold disk, and a context on each GPU.
_LIMIT = 180.0


def venv_trial(inventory: Inventory, spec: HostSpec, facts: Facts) -> Probe[VenvCheck]:
    """Of a host with the venv. Takes some hundred MiB of each GPU while it runs."""
    payload = {
        "environment": environment(inventory, spec, facts),
        "gpus": 0 if _in_use(spec, facts) else spec.gpus,
        "model": _model(inventory, facts),
    }
    venv = inventory.runtime.venv
    command = program("trials.venv_check", payload, title=TRYING, venv=venv, timeout=_LIMIT)
    return Probe(command, lambda said: VenvCheck.model_validate(last_json(said)))


def _in_use(spec: HostSpec, facts: Facts) -> bool:
    """Where vLLM has the memory there is none left for a context: nothing would be learned."""
    return any(one.processes or unexplained_mib(one) for one in selected(spec, facts))


def _model(inventory: Inventory, facts: Facts) -> dict[str, object] | None:
    arguments = inventory.serve.arguments
    if facts.model.problem or any(one.partition("=")[0] in _OTHERWISE for one in arguments):
        return None
    return {
        "path": facts.model.path,
        "revision": inventory.model.revision,
        "trust": "--trust-remote-code" in arguments,
    }
