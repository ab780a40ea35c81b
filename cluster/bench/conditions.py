"""The conditions of a run, from the facts of the hosts and the logs of the engine and its ranks."""

from __future__ import annotations

from cluster.bench.record import Conditions, GpuAt, HostAt
from cluster.command import Probe, last_json, program
from cluster.engine import gpu, nccl, vllm_log
from cluster.errors import HostError
from cluster.inventory import HostSpec, Inventory
from cluster.launch import vllm
from cluster.launch.shown import shown
from cluster.transport.fleet import Fleet
from cluster.values import Facts
from cluster.values.base import shaped
from cluster.views import Observed

#: The present and the highest clock in MHz, by the GPU's uuid.
Clocks = dict[str, tuple[int, int]]


def clocks(venv: str) -> Probe[Clocks]:
    """Reads the clocks, best while the GPUs work: idle GPUs lower their clocks."""
    command = program("bench.clocks", {}, title="read the clocks of the GPUs", venv=venv)
    return Probe(command, lambda output: shaped(Clocks, last_json(output)["clocks"]))


def clocks_of(fleet: Fleet, venv: str) -> Clocks:
    """Returns the clocks of all hosts that answer: a missing host does not end a run."""
    answers = fleet.each(lambda host: host.ask(clocks(venv))).values()
    known = [answer for answer in answers if not isinstance(answer, HostError)]
    return {uuid: clock for answer in known for uuid, clock in answer.items()}


def conditions(inventory: Inventory, seen: Observed, engine_log: str, network: tuple[str, ...]) -> Conditions:
    """Returns the conditions of a run. `network` are the lines of NCCL; every host must have answered."""
    return Conditions(
        cluster=inventory.cluster,
        model=inventory.model.id,
        tensor_parallel_size=inventory.serve.tensor_parallel_size,
        pipeline_parallel_size=inventory.serve.pipeline_parallel_size,
        hosts=tuple(_host(inventory.host(name), view.facts) for name, view in seen.items() if view.facts),
        engine=shown(vllm.argv(inventory)),
        transport=_transport(inventory, engine_log, network),
        kv_cache_tokens=vllm_log.loading(engine_log).kv_tokens,
    )


def _host(spec: HostSpec, facts: Facts) -> HostAt:
    return HostAt(
        name=spec.name,
        gpus=tuple(GpuAt(name=card.name, memory_mib=card.memory_mib) for card in gpu.selected(spec, facts)),
        driver=facts.driver,
        python=facts.python,
        versions={name: facts.versions[name] for name in sorted(facts.versions) if facts.versions[name]},
    )


def _transport(inventory: Inventory, engine_log: str, network: tuple[str, ...]) -> str:
    kind = nccl.transport_of_engine(network, engine_log).kind
    return kind if inventory.uses_ray or kind == "gloo" else ""


def with_clocks(known: Conditions, inventory: Inventory, seen: Observed, clocks: Clocks) -> Conditions:
    """Returns the same conditions with the clocks that were read under load."""
    hosts = tuple(_clocked(host, _uuids(inventory, seen, host.name), clocks) for host in known.hosts)
    return known.model_copy(update={"hosts": hosts})


def _uuids(inventory: Inventory, seen: Observed, name: str) -> list[str]:
    facts = seen[name].facts
    return [card.uuid for card in gpu.selected(inventory.host(name), facts)] if facts else []


def _clocked(host: HostAt, uuids: list[str], clocks: Clocks) -> HostAt:
    gpus = []
    for card, uuid in zip(host.gpus, uuids, strict=True):
        now, most = clocks.get(uuid, (None, None))
        gpus.append(card.model_copy(update={"sm_clock": now, "max_sm_clock": most}))
    return host.model_copy(update={"gpus": tuple(gpus)})
