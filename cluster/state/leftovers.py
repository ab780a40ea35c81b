"""What is left of us on the hosts, from a look at them."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.engine import gpu
from cluster.inventory import HostSpec, Inventory, ssh_command
from cluster.launch.state_folder import obstacle_of
from cluster.values import Facts, Leftover
from cluster.views import Observed


def leftovers(inventory: Inventory, seen: Observed) -> tuple[Leftover, ...]:
    """Processes, ports and GPU memory of ours; and each host that could not be looked at."""
    return tuple(leftover for name in seen for leftover in _of_host(inventory, inventory.host(name), seen))


def _of_host(inventory: Inventory, spec: HostSpec, seen: Observed) -> Iterator[Leftover]:
    view = seen[spec.name]
    if view.facts is None:
        why = f": {view.problem.cause}" if view.problem and view.problem.cause else ""
        yield Leftover(spec.name, f"could not be looked at{why}", "run `down` again once it answers", False)
        return
    if taken := obstacle_of(inventory, spec.name, view.facts):
        yield Leftover(spec.name, f"could not be looked at: {taken.cause}", taken.cure, False)
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
        # A wedged driver is just when the proof matters.
        yield Leftover(
            spec.name, f"the GPUs could not be looked at: {facts.gpu_problem}", "see what nvidia-smi says"
        )
    for card in gpu.selected(spec, facts):
        for process in card.processes:
            if process.ours:
                what = f"GPU {card.index}: pid {process.pid} holds {process.used_mib or 'unknown'} MiB"
                yield Leftover(spec.name, what, ssh_command(spec, f"kill -9 {process.pid}"))
        if gpu.unexplained_mib(card):
            what = f"GPU {card.index}: {card.used_mib} MiB in use, by no process that nvidia-smi shows"
            yield Leftover(
                spec.name, what, "nvidia-smi; a rank that hangs in the driver goes with a reset of the GPU"
            )
