"""Checks the target of a benchmark: the engine of the inventory, idle, with room for the workload."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.bench.record import Conditions
from cluster.bench.workload import Workload
from cluster.engine.endpoint import Endpoint, public_url
from cluster.engine.requests import METRICS, MODELS, RESET_PREFIX_CACHE, Load, load, max_model_len
from cluster.errors import NotReady, TimedOut, UsageError
from cluster.state.desired import vllm_runs
from cluster.values import Presence
from orchestrator.bench.results import Results
from orchestrator.bench.watch import current_conditions
from orchestrator.run.phase import Phase, Stage

#: Seconds for an answer, and for the engine to be idle: somebody else's requests may come to their end.
_ANSWER = 10.0
_IDLE = 60.0


#: Why the wanted engine does not serve.
_CAUSES = {
    Presence.ABSENT: "vLLM of this cluster does not run there",
    Presence.DEAD: "vLLM has exited",
    Presence.ALIVE: "the engine there runs with an outdated configuration",
}


class CheckBenchTarget(Phase):
    title = "Look at what is measured"
    acts = False

    def __init__(self, workloads: Sequence[Workload], results: Results) -> None:
        self._workloads = tuple(dict.fromkeys(workloads))
        self._results = results

    def run(self, stage: Stage) -> None:
        """Raises NotReady where the engine of the inventory does not serve, or is busy. Raises UsageError for a
        workload that it cannot do, before the first request."""
        _judge_unit(stage)
        endpoint = stage.endpoint()
        self._judge_lengths(stage, endpoint)
        if self._results.settings.origin == "here" and endpoint.via:
            cure = "measure from the head (leave out `--from here`), or open the port for this machine"
            url = public_url(stage.inventory, endpoint)
            raise UsageError(f"{url} cannot be reached from this machine", cure=cure)
        if self._results.settings.cold == "reset":
            _judge_reset(endpoint)
        self._judge_conditions(current_conditions(stage))
        _wait_until_idle(stage, endpoint)

    def _judge_lengths(self, stage: Stage, endpoint: Endpoint) -> None:
        try:
            most = max_model_len(endpoint.ask(MODELS, _ANSWER), stage.inventory.model.served_name)
        except ValueError as error:
            cure = "run `orchestrator status` and `orchestrator logs`"
            raise NotReady(
                "an answer from the endpoint", host=stage.head.name, cause=str(error), cure=cure
            ) from None
        long = [workload for workload in self._workloads if workload.tokens > most]
        if long:
            words = "; ".join(f"{workload.shown} takes {workload.tokens:,} tokens a request" for workload in long)
            cure = "choose others with --workload, or serve with a larger --max-model-len"
            raise UsageError(f"too long for this server, whose max_model_len is {most:,}: {words}", cure=cure)

    def _judge_conditions(self, now: Conditions) -> None:
        """Refuses a results folder that holds runs of another engine."""
        for run in self._results.runs():
            if changed := run.conditions.differences(now):
                cure = "give another folder with --results"
                words = "\n".join(f"{what}: {then} there, {here} here" for what, then, here in changed)
                raise UsageError(f"{self._results.folder} holds runs of another engine", cause=words, cure=cure)


def _judge_unit(stage: Stage) -> None:
    head = stage.head.name
    stage.need_all()
    if vllm_runs(stage.inventory, stage.seen):
        return
    cause = _CAUSES[stage.seen[head].vllm.presence]
    raise NotReady("the engine", host=head, cause=cause, cure="run `orchestrator up` first")


def _judge_reset(endpoint: Endpoint) -> None:
    answer = endpoint.ask(RESET_PREFIX_CACHE, _ANSWER)
    if answer.status != 200:
        cause = f"HTTP {answer.status}: /reset_prefix_cache needs VLLM_SERVER_DEV_MODE=1"
        cure = "choose another --cold; set that variable only where no stranger reaches the port"
        raise UsageError("this server cannot reset its prefix cache", cause=cause, cure=cure)


def _wait_until_idle(stage: Stage, endpoint: Endpoint) -> None:
    head = stage.head.name

    def look() -> Load:
        answer = endpoint.ask(METRICS, _ANSWER)
        try:
            return load(answer.text)
        except ValueError as error:
            cure = "remove --disable-log-stats; the counters prove that a run was cold"
            raise NotReady("the server's counters", host=head, cause=str(error), cure=cure) from None

    try:
        stage.until("the engine to be idle", look, lambda seen: seen.running == 0, _IDLE)
    except TimedOut as error:
        cause, cure = "another client sends requests", "measure while no other client uses the endpoint"
        raise error.explained(head, cause, cure) from None
