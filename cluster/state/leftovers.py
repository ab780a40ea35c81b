"""The resources that the cluster still holds on the hosts, from their facts."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.engine import gpu
from cluster.inventory import HostSpec, Inventory, ssh_command
from cluster.launch.state_folder import obstacle_of
from cluster.values import Facts, Leftover
from cluster.views import Observed


def leftovers(inventory: Inventory, seen: Observed) -> tuple[Leftover, ...]:
    """Returns our processes, ports and GPU memory, and each host that could not be checked."""
    return tuple(leftover for name in seen for leftover in _of_host(inventory, inventory.host(name), seen))


def _of_host(inventory: Inventory, spec: HostSpec, seen: Observed) -> Iterator[Leftover]:
    view = seen[spec.name]
    if view.facts is None:
        why = f": {view.problem.cause}" if view.problem and view.problem.cause else ""
        again = "run `down` again once the host answers"
        cure = f"{view.problem.cure}; then {again}" if view.problem and view.problem.cure else again
        yield Leftover(spec.name, f"could not be checked{why}", cure, False)
        return
    if taken := obstacle_of(inventory, spec.name, view.facts):
        yield Leftover(spec.name, f"could not be checked: {taken.cause}", taken.cure, False)
    yield from _processes(spec, view.facts)
    yield from _memory(spec, view.facts)


def _processes(spec: HostSpec, facts: Facts) -> Iterator[Leftover]:
    for unit, state in (("ray", facts.ray), ("vllm", facts.vllm)):
        for pid in state.pids:
            yield Leftover(spec.name, f"pid {pid} of {unit}", ssh_command(spec, f"kill -9 {pid}"))
    for listener in facts.listeners:
        if listener.ours:
            what = f"port {listener.port}, held by pid {listener.pid}"
            yield Leftover(spec.name, what, ssh_command(spec, f"kill -9 {listener.pid}"))


def _memory(spec: HostSpec, facts: Facts) -> Iterator[Leftover]:
    if facts.gpu_problem:
        # A driver that hangs is the very case in which this check matters.
        yield Leftover(
            spec.name, f"the GPUs could not be checked: {facts.gpu_problem}", "run nvidia-smi on the host"
        )
    for card in gpu.selected(spec, facts):
        for process in card.processes:
            if process.ours:
                what = f"GPU {card.index}: pid {process.pid} holds {process.used_mib or 'unknown'} MiB"
                yield Leftover(spec.name, what, ssh_command(spec, f"kill -9 {process.pid}"))
        if gpu.unexplained_mib(card):
            what = f"GPU {card.index}: {card.used_mib} MiB are in use, but nvidia-smi shows no process"
            yield Leftover(spec.name, what, "run nvidia-smi; if a rank hangs in the driver, reset the GPU")
