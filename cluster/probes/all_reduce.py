"""An all-reduce over all GPUs, without Ray and without vLLM: what the network between the hosts can carry."""

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

#: Seconds for torch to be imported, for all ranks to meet and for the rounds; NCCL over TCP needs most.
_PATIENCE = 120.0
#: Seconds for the other hosts to say what they saw of a failure; half of it goes by on the host itself.
_GRACE = 10.0


def measure(inventory: Inventory, fleet: Fleet, seen: Observed, patience: float = _PATIENCE) -> AllReduceResult:
    """On all hosts at once. Every host must have been looked at. Raises nothing for what a host can do.

    Ranks wait for one that is not there until the end of their patience: the first problem ends it for all.
    """
    end = _End(patience + 30)
    answers = fleet.each(lambda host: _ask(host, _probe(inventory, seen, host.name, patience), end))
    problems = [(name, _said(one)) for name, one in answers.items() if isinstance(one, HostError)]
    found = {name: one for name, one in answers.items() if isinstance(one, HostReduced)}
    problems += [(name, problem) for name, one in found.items() for problem in _problems(one)]
    lines = tuple(line for one in found.values() for line in one.network)
    if problems:
        return AllReduceResult(inventory.gpus, transport=nccl.transport(lines), problems=tuple(problems))
    return _measured(inventory.gpus, found, lines)


def _measured(ranks: int, found: dict[str, HostReduced], lines: tuple[str, ...]) -> AllReduceResult:
    """All ranks took the time of the slowest. Bus bandwidth: 2(n-1)/n of the bytes, as nccl-tests count it."""
    one = next(iter(found.values())).ranks[0]
    carried = 2 * (ranks - 1) / ranks * one.bytes
    transport = NcclTransport("gloo") if one.backend == "gloo" else nccl.transport(lines)
    return AllReduceResult(ranks, one.backend, carried / one.seconds / 1e9, transport)


def _probe(inventory: Inventory, seen: Observed, name: str, patience: float) -> Probe[HostReduced]:
    spec = inventory.host(name)
    facts = seen[name].facts
    assert facts is not None
    payload = {
        "environment": _environment(inventory, spec, facts),
        "address": inventory.head.cluster_address,
        # Ray's own workers listen between the two ports: what a firewall must let through in any case.
        "port": inventory.ray.max_worker_port,
        "first": _first(inventory, name),
        "ranks": spec.gpus,
        "world": inventory.gpus,
        "patience": patience,
    }
    command = program(
        "trials.all_reduce",
        payload,
        title="reduce over all GPUs",
        venv=inventory.runtime.venv,
        timeout=patience + 30,
    )
    return Probe(command, lambda said: HostReduced.model_validate(last_json(said)))


def _environment(inventory: Inventory, spec: HostSpec, facts: Facts) -> dict[str, str]:
    """As our units have it, but that NCCL speaks to us and not into a file."""
    ours = environment(inventory, spec, facts)
    return {name: value for name, value in ours.items() if name != "NCCL_DEBUG_FILE"}


def _first(inventory: Inventory, name: str) -> int:
    """The head's ranks come first: the first of them is where all meet."""
    ordered = (inventory.head, *inventory.workers)
    before = [spec.name for spec in ordered].index(name)
    return sum(spec.gpus for spec in ordered[:before])


class _End:
    """When no host is waited for any longer: the end of our patience, or soon after the first problem."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self.early = False

    def hasten(self) -> None:
        self._at = min(self._at, time.monotonic() + _GRACE)
        self.early = True

    def reached(self) -> bool:
        return time.monotonic() >= self._at


def _ask(host: Host, probe: Probe[HostReduced], end: _End) -> HostReduced | None:
    """None where it only waited for one that had failed."""
    try:
        answer = _answer(host, probe, end)
    except HostError:
        end.hasten()
        raise
    if answer and any(_problems(answer)):
        end.hasten()
    return answer


def _answer(host: Host, probe: Probe[HostReduced], end: _End) -> HostReduced | None:
    """Over a channel that stays open, since the ranks end with it."""
    with Conversation(host.open(probe.command)) as conversation:
        said = "\n".join(_up_to_answer(conversation.lines(1.0, end.reached)))
    if not said and end.early:
        return None
    try:
        return probe.parse(said)
    except ValueError:
        last = said.strip()[-300:] or "nothing"
        raise MalformedAnswer(host.name, probe.command.title, f"it answered {last}") from None


def _up_to_answer(lines: Iterator[str | None]) -> Iterator[str]:
    for line in lines:
        if line is not None:
            yield line
            if line.startswith("{"):
                return


def _problems(answer: HostReduced) -> Iterator[str]:
    """Ranks that fail for one reason are told once."""
    by_problem: dict[str, list[str]] = {}
    for one in answer.ranks:
        if not one.well:
            by_problem.setdefault(one.problem or "it took no time", []).append(str(one.rank))
    for problem, ranks in by_problem.items():
        yield f"rank {', '.join(ranks)}: {problem}"


def _said(error: HostError) -> str:
    return error.reason
