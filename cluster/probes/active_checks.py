"""The second step of preflight: trials on all hosts at once."""

from __future__ import annotations

from cluster.command import Probe, last_json, program
from cluster.engine.gpu import selected, unexplained_mib
from cluster.inventory import HostSpec, Inventory
from cluster.launch.environment import environment
from cluster.probes.reach import reach
from cluster.transport.fleet import Fleet, both
from cluster.values import Facts, VenvCheck, is_read
from cluster.values.base import shaped
from cluster.views import Observed, TrialResults


def run(inventory: Inventory, fleet: Fleet, seen: Observed, deep: bool = False) -> dict[str, TrialResults]:
    """Returns the results of the hosts that answered. Peers and libraries are tried at the same time.

    `deep` also hashes the model's files, which takes minutes or hours.
    """
    facts = {name: view.facts for name, view in seen.items() if view.facts}
    # Preflight reports a missing venv and an incomplete model by itself.
    with_venv = [name for name, known in facts.items() if known.python_is_venvs]
    with_model = [name for name, known in facts.items() if deep and not known.model.problem]
    venv = {name: venv_check(inventory, inventory.host(name), facts[name]) for name in with_venv}
    reaches, venvs = both(
        lambda: reach(inventory, fleet, seen),
        lambda: fleet.each(lambda host: host.attend(venv[host.name]), with_venv),
    )
    hashed = fleet.each(lambda host: host.attend(hashes(inventory, facts[host.name])), with_model)
    return {name: TrialResults(name, reaches.get(name, ()), venvs.get(name), hashed.get(name)) for name in facts}


#: Seconds: 848 GB from a disk that reads 60 MB/s.
_HASHES_LIMIT = 4 * 3600.0


def hashes(inventory: Inventory, facts: Facts) -> Probe[dict[str, str]]:
    """Hashes all files that ranks read, by name."""
    names = sorted(name for name in facts.model.sizes if is_read(name))
    payload = {"folder": facts.model.path, "names": names}
    venv = inventory.runtime.venv
    command = program("trials.hashes", payload, title="hash the model's files", venv=venv, timeout=_HASHES_LIMIT)
    return Probe(command, lambda output: shaped(dict[str, str], last_json(output)["hashes"]))


#: These arguments make vLLM read the configuration in another way than transformers.
_OTHERWISE = ("--hf-config-path", "--config-format", "--hf-overrides", "--tokenizer-mode")

#: Seconds: torch and transformers from a cold disk, and a context on each GPU.
_VENV_LIMIT = 180.0


def venv_check(inventory: Inventory, spec: HostSpec, facts: Facts) -> Probe[VenvCheck]:
    """Tests the venv of a host that has one. It takes some hundred MiB of each GPU while it runs."""
    # Where vLLM holds the memory, no context fits, and the trial would show nothing.
    in_use = any(card.processes or unexplained_mib(card) for card in selected(spec, facts))
    payload = {
        "environment": environment(inventory, spec, facts),
        "gpus": 0 if in_use else spec.gpus,
        "model": _model(inventory, facts),
    }
    venv = inventory.runtime.venv
    command = program("trials.venv_check", payload, title="test the venv", venv=venv, timeout=_VENV_LIMIT)
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
