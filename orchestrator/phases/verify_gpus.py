"""Proves that Ray sees every host with its address and all of its GPUs, and touches every GPU through Ray."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from cluster.command import Command, json_lines
from cluster.errors import CommandFailed, MalformedAnswer, NotReady, TimedOut
from cluster.launch import ray
from cluster.launch.unit import UnitStatus
from cluster.state.desired import vllm_runs
from cluster.transport.conversation import Conversation
from cluster.values.base import shaped
from orchestrator.events import HostActivity, HostMessage, Progress, Waiting
from orchestrator.run.engine_diagnosis import ray_end, ray_status
from orchestrator.run.phase import Phase, Situation, Stage, Waits

#: Seconds between two looks at the units.
_LOOK_EVERY = 1.0
#: Seconds in which `ray start` notices that a process of its own has died.
_NOTICED = 3.0
#: Lines that are shown of the log of a Ray.
_LINES = 12

_OTHERS = "run `down` with the inventory that has that host, or run `up --recreate` without it"


def _joined(message: dict[str, Any]) -> dict[str, int]:
    """The GPUs of each host in Ray, by address; empty for a message of another shape."""
    try:
        return shaped(dict[str, int], message["joined"])
    except ValueError:
        return {}


class VerifyGpus(Phase):
    title = "Prove the GPUs through Ray"
    waits = Waits("all hosts to join Ray", lambda patience: patience.gate)
    acts = False

    def skip(self, situation: Situation) -> str | None:
        if not situation.inventory.uses_ray:
            return "one host needs no Ray"
        return "the engine of this cluster holds them" if vllm_runs(situation.inventory, situation.seen) else None

    def run(self, stage: Stage) -> None:
        """Raises NotReady that names the missing host or GPU, with the end of its log."""
        begun = time.monotonic()
        command = ray.verify_gpus(
            stage.inventory, stage.facts(stage.head.name).state, self.waits.patience(stage.patience)
        )
        with Conversation(stage.head.open(command)) as conversation:
            last = self._follow(stage, conversation, begun)
        if "proved" in last:
            self._report(stage, self._read(stage, command, last))
        elif "failed" in last:
            raise self._failure(stage, last, time.monotonic() - begun)
        else:
            self._find_dead(stage, begun)
            result = conversation.result()
            raise CommandFailed(stage.head.name, command, result.status, result.stdout, result.stderr)

    def _read(self, stage: Stage, command: Command, last: dict[str, Any]) -> tuple[ray.GpuAnswer, ...]:
        try:
            return ray.gpu_answers(last)
        except ValueError as error:
            cause = f"its answer cannot be read: {error}"
            raise MalformedAnswer(stage.head.name, command.title, cause=cause) from None

    def _follow(self, stage: Stage, conversation: Conversation, begun: float) -> dict[str, Any]:
        """Returns the last message of the program. Between messages, fails where a Ray has exited."""
        last: dict[str, Any] = {}
        looked = time.monotonic()
        stage.guard()
        for line in conversation.lines(_LOOK_EVERY):
            for last in json_lines(line or ""):
                self._show(stage, begun, last)
            if line is None or time.monotonic() - looked > _LOOK_EVERY:
                self._fail_if_dead(stage, begun)
                looked = time.monotonic()
            stage.guard()
        return last

    def _fail_if_dead(self, stage: Stage, begun: float) -> None:
        for host, status in self._rays(stage).items():
            if not status.alive:
                end, waited = ray_end(stage, host, status, _LINES), time.monotonic() - begun
                raise NotReady("Ray on every host", waited, end.last, host=host, cause=end.cause, cure=end.cure)

    def _find_dead(self, stage: Stage, begun: float) -> None:
        """Waits for Ray's exit to show: the program ends with its Ray, and `ray start` notices the exit a moment
        later."""
        with suppress(TimedOut):
            stage.until("a Ray process that has exited", lambda: self._fail_if_dead(stage, begun), bool, _NOTICED)

    def _rays(self, stage: Stage) -> dict[str, UnitStatus]:
        """Ray on the hosts that answer. The program judges the others, which it sees through Ray."""
        answers = stage.fleet.each(lambda host: ray_status(stage, host))
        return {host: answer for host, answer in answers.items() if isinstance(answer, UnitStatus)}

    def _show(self, stage: Stage, begun: float, message: dict[str, Any]) -> None:
        waited = time.monotonic() - begun
        match message:
            case {"joined": dict(), **rest} if "failed" not in rest:
                joined = _joined(message)
                stage.sink(Progress("GPUs in Ray", sum(joined.values()), stage.inventory.gpus, "GPUs"))
                for spec in stage.inventory.hosts:
                    gpus = joined.get(spec.cluster_address)
                    activity = "not in Ray yet" if gpus is None else f"in Ray with {gpus} of {spec.gpus} GPUs"
                    stage.sink(HostActivity(spec.name, activity))
                if missing := ray.describe_missing(stage.inventory, joined):
                    stage.sink(Waiting(self.waits.what, waited, missing))
            case {"waiting": str(what), "last": str(last)}:
                stage.sink(Waiting(what, waited, last))
            case {"touched": int(done), "of": int(of)}:
                stage.sink(Progress("GPUs touched through Ray", done, of, "GPUs"))
                stage.sink(Waiting("every GPU to answer through Ray", waited, ""))

    def _report(self, stage: Stage, touched: tuple[ray.GpuAnswer, ...]) -> None:
        unchecked = sum(gpu.cuda != "ok" for gpu in touched)
        stage.sink(
            HostMessage("", f"{len(touched)} of {stage.inventory.gpus} GPUs answered through Ray, all distinct")
        )
        if unchecked:
            stage.sink(
                HostMessage("", f"CUDA was not checked on {unchecked} of them: their hosts have no libcuda")
            )

    def _failure(self, stage: Stage, message: dict[str, Any], waited: float) -> NotReady:
        joined = _joined(message) if "joined" in message else None
        missing = ray.describe_missing(stage.inventory, joined) if joined is not None else ""
        host = self._suspect(stage, joined)
        status = self._rays(stage).get(host)
        last = stage.public(ray.last_lines(status.text, _LINES)) if status else ""
        strangers = set(joined or {}) - {spec.cluster_address for spec in stage.inventory.hosts}
        return NotReady(
            "the GPUs through Ray", waited, last, host=host,
            cause=missing or str(message.get("why", "")),
            cure=_OTHERS if strangers else f"see why on {host}: its Ray log ends as shown above",
        )  # fmt: skip

    def _suspect(self, stage: Stage, joined: dict[str, int] | None) -> str:
        """The host to inspect: the first one that Ray does not fully have, otherwise the head."""
        for spec in stage.inventory.hosts if joined is not None else ():
            if (joined or {}).get(spec.cluster_address) != spec.gpus:
                return spec.name
        return stage.head.name
