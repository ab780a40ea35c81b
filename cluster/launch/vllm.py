"""The `vllm serve` of the head."""

from __future__ import annotations

from cluster.command import remote_source
from cluster.inventory import Inventory
from cluster.launch.environment import environment, public, ray_address, secret, versions
from cluster.launch.unit import Unit
from cluster.values import LaunchTarget

#: One host may load its weights much later than the other; the default of 600 s ends such a start.
_DISTRIBUTED_TIMEOUT = "--distributed-timeout-seconds"

#: The name under which the engine imports the guard of its routes; no other package has this name.
_GUARD = "orchestrator_require_key"


def unit(inventory: Inventory, facts: LaunchTarget) -> Unit:
    """Returns the vLLM unit on the head, from the facts of the head."""
    head = inventory.head
    variables = _all_reduce(inventory) | environment(inventory, head, facts)
    if inventory.uses_ray:
        # Without it, Ray silently starts its own cluster, and the placement group waits for half an hour.
        variables["RAY_ADDRESS"] = ray_address(inventory)
    key = inventory.serve.api_key
    return Unit(
        cluster=inventory.cluster,
        host=head.name,
        name="vllm",
        state=facts.state,
        argv=argv(inventory),
        env=public(variables),
        secrets=secret(variables) + ((("VLLM_API_KEY", key.get_secret_value()),) if key else ()),
        versions=versions(facts),
        modules=((_GUARD, remote_source("units.require_key")),) if key else (),
    )


def _all_reduce(inventory: Inventory) -> dict[str, str]:
    """Turns off symmetric memory where tensor parallelism spans hosts: it needs NVLink between all ranks.

    vLLM 0.26 to 0.33 use it anyway for groups of 2, 4, 6 and 8. Ranks pass file descriptors to each other, which
    does not work between hosts (pytorch PR 194912).
    If each host has one GPU, all ranks fail ("Failed to send fd"), and vLLM falls back to NCCL. If each host has
    two GPUs, it hung in all three starts on H200s. The probable reason is that some ranks fail and the others
    wait for them; there was no test since.
    Racks with NVLink between hosts can set it to 1. vLLM passes it to the ranks.
    """
    return {"VLLM_ALLREDUCE_USE_SYMM_MEM": "0"} if inventory.tensor_parallel_over_hosts else {}


def argv(inventory: Inventory) -> tuple[str, ...]:
    """Returns the command line; the inventory's arguments come last."""
    model, serve = inventory.model, inventory.serve
    arguments = (
        *(f"{inventory.runtime.venv}/bin/vllm", "serve", model.id),
        *("--served-model-name", model.served_name),
        *(("--revision", model.revision) if model.revision else ()),
        *("--host", serve.host, "--port", str(serve.port)),
        *("--tensor-parallel-size", str(serve.tensor_parallel_size)),
        *("--pipeline-parallel-size", str(serve.pipeline_parallel_size)),
        # vLLM no longer falls back to Ray when a host has too few GPUs (vllm#25775): it refuses to start.
        *(("--distributed-executor-backend", "ray") if inventory.uses_ray else ()),
    )
    timeout = () if _DISTRIBUTED_TIMEOUT in serve.arguments else (_DISTRIBUTED_TIMEOUT, "3600")
    # vLLM asks for its key only below /v1 and on a few more paths.
    guard = ("--middleware", f"{_GUARD}.RequireKey") if serve.api_key else ()
    return (*arguments, *timeout, *guard, *serve.arguments)
