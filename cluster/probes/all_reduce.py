"""An all-reduce over all GPUs, without Ray and vLLM: it measures the network between the hosts."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cluster.command import Probe, last_json, program
from cluster.engine import nccl
from cluster.errors import HostError, MalformedAnswer
from cluster.inventory import HostSpec, Inventory
from cluster.launch.environment import environment
from cluster.transport.conversation import Conversation
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import AllReduceResult, Facts, HostReduced, NcclTransport
from cluster.views import Observed

#: Seconds for the import of torch, the connection of all ranks, and the rounds. NCCL over TCP takes longest.
_PATIENCE = 120.0
#: Seconds for the other hosts to report a failure; half of it passes on the host itself.
_GRACE = 10.0


def measure(inventory: Inventory, fleet: Fleet, seen: Observed, patience: float = _PATIENCE) -> AllReduceResult:
    """Runs it on all hosts at once; every host must have answered before. Raises nothing for a failure on a host.

    Ranks wait for a missing rank until the timeout: the first problem ends the run for all.
    """
    deadline = _Deadline(patience + 30)
    answers = fleet.each(lambda host: _ask(host, _probe(inventory, seen, host.name, patience), deadline))
    problems = [(name, error.reason) for name, error in answers.items() if isinstance(error, HostError)]
    results = {name: result for name, result in answers.items() if isinstance(result, HostReduced)}
    problems += [(name, problem) for name, result in results.items() for problem in _problems(result)]
    lines = tuple(line for result in results.values() for line in result.network)
    if problems:
        return AllReduceResult(inventory.gpus, transport=nccl.transport(lines), problems=tuple(problems))
    return _measured(inventory.gpus, results, lines)


def _measured(ranks: int, results: dict[str, HostReduced], lines: tuple[str, ...]) -> AllReduceResult:
    """Returns the result: all ranks took the time of the slowest. Bus bandwidth is 2(n-1)/n of the bytes, as
    nccl-tests count it."""
    rank = next(iter(results.values())).ranks[0]
    carried = 2 * (ranks - 1) / ranks * rank.bytes
    transport = NcclTransport("gloo") if rank.backend == "gloo" else nccl.transport(lines)
    return AllReduceResult(ranks, rank.backend, carried / rank.seconds / 1e9, transport)


def _probe(inventory: Inventory, seen: Observed, name: str, patience: float) -> Probe[HostReduced]:
    spec = inventory.host(name)
    facts = seen[name].facts
    assert facts is not None
    payload = {
        "environment": _environment(inventory, spec, facts),
        "address": inventory.head.cluster_address,
        # Ray's own workers listen between the two ports: a firewall must allow them anyway.
        "port": inventory.ray.max_worker_port,
        "first": _first_rank(inventory, name),
        "ranks": spec.gpus,
        "world": inventory.gpus,
        "patience": patience,
    }
    command = program(
        "trials.all_reduce",
        payload,
        title="run an all-reduce over all GPUs",
        venv=inventory.runtime.venv,
        timeout=patience + 30,
    )
    return Probe(command, lambda output: HostReduced.model_validate(last_json(output)))


def _environment(inventory: Inventory, spec: HostSpec, facts: Facts) -> dict[str, str]:
    """Returns the environment of our units, but NCCL writes to this program and not into a file."""
    variables = environment(inventory, spec, facts)
    return {name: value for name, value in variables.items() if name != "NCCL_DEBUG_FILE"}


def _first_rank(inventory: Inventory, name: str) -> int:
    """Returns the first rank of a host. The head's ranks come first: all ranks meet at the first of them."""
    ordered = (inventory.head, *inventory.workers)
    before = [spec.name for spec in ordered].index(name)
    return sum(spec.gpus for spec in ordered[:before])


class _Deadline:
    """The time at which the wait for hosts ends: the timeout, or soon after the first problem."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self.early = False

    def hasten(self) -> None:
        self._at = min(self._at, time.monotonic() + _GRACE)
        self.early = True

    def reached(self) -> bool:
        return time.monotonic() >= self._at


def _ask(host: Host, probe: Probe[HostReduced], deadline: _Deadline) -> HostReduced | None:
    """Returns None where it only waited for another rank that had failed."""
    try:
        answer = _answer(host, probe, deadline)
    except HostError:
        deadline.hasten()
        raise
    if answer and any(_problems(answer)):
        deadline.hasten()
    return answer


def _answer(host: Host, probe: Probe[HostReduced], deadline: _Deadline) -> HostReduced | None:
    """Asks over a channel that stays open, because the ranks end with it."""
    with Conversation(host.open(probe.command)) as conversation:
        output = "\n".join(_up_to_answer(conversation.lines(1.0, deadline.reached)))
    if not output and deadline.early:
        return None
    try:
        return probe.parse(output)
    except ValueError:
        last = output.strip()[-300:] or "nothing"
        raise MalformedAnswer(host.name, probe.command.title, f"the host answered {last}") from None


def _up_to_answer(lines: Iterator[str | None]) -> Iterator[str]:
    for line in lines:
        if line is not None:
            yield line
            if line.startswith("{"):
                return


def _problems(answer: HostReduced) -> Iterator[str]:
    """Yields one problem for all ranks that failed for the same reason."""
    by_problem: dict[str, list[str]] = {}
    for rank in answer.ranks:
        if not rank.well:
            by_problem.setdefault(rank.problem or "the measured time is zero", []).append(str(rank.rank))
    for problem, ranks in by_problem.items():
        yield f"rank {', '.join(ranks)}: {problem}"
