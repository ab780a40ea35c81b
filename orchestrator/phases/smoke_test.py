"""A real generated token through the endpoint: only then it may be announced."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from cluster.diagnosis.engine_failure import is_dead
from cluster.engine import nccl
from cluster.engine.endpoint import Endpoint
from cluster.engine.requests import Answer, EndpointRequest, Token, completion, image_question, token
from cluster.engine.unit_log import UnitLog
from cluster.engine.vllm_log import last_line
from cluster.errors import ClusterError, TimedOut
from orchestrator.events import EndpointVerified, HostMessage, TransportDetected
from orchestrator.run.engine_diagnosis import Advice, crash_error, stall_error
from orchestrator.run.phase import Phase, Stage, Waits

#: Seconds beyond the patience for an answer, so that it is the request that ends, and says why.
_GRACE = 15.0

_CURE = "run `up --restart`; if it happens again, look at the log of vllm on the head"


_TOKEN = Waits("a generated token", lambda patience: patience.token)


class SmokeTest(Phase):
    title = "Prove it with a token"
    waits = _TOKEN
    acts = False

    def run(self, stage: Stage) -> None:
        """Raises NotReady for anything but a token (and, where wanted, one about an image)."""
        model = stage.inventory.model.served_name
        endpoint = stage.endpoint()
        if endpoint.head:
            stage.sink(
                HostMessage("", f"{endpoint.url} cannot be reached from here: asking from {endpoint.origin}")
            )
        generated = _ask(stage, endpoint, _TOKEN.what, completion(model))
        if stage.inventory.serve.prove_image:
            _ask(stage, endpoint, "a token about an image", image_question(model))
        if stage.inventory.uses_ray:
            _learn_transport(stage)
        stage.sink(EndpointVerified(endpoint.url, endpoint.origin, generated.text))


def _learn_transport(stage: Stage) -> None:
    """Once more: channels, and with them GDRDMA, are named only when the first data has travelled. The log of
    the engine is read where NCCL says nothing: the phase that learns the transport may have ended too early."""
    transport = nccl.transport(stage.nccl_lines())
    if transport.kind == "unknown":
        engine = stage.engine()
        engine.look()
        transport = nccl.transport_of_engine((), engine.log)
    nccl.refuse_slow(stage.inventory, transport)
    if transport.kind != "unknown":
        stage.sink(TransportDetected(transport))


@dataclass
class _Request:
    """A request under way in its own thread: the engine is watched while it is waited for."""

    endpoint: Endpoint
    request: EndpointRequest
    timeout: float
    answer: Answer | None = None
    error: ClusterError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def start(self) -> _Request:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def _run(self) -> None:
        try:
            self.answer = self.endpoint.ask(self.request, self.timeout)
        except ClusterError as error:
            self.error = error
        finally:
            self.done.set()


def _ask(stage: Stage, endpoint: Endpoint, what: str, request: EndpointRequest) -> Token:
    """The token that comes. Raises NotReady for anything else, with what every rank is at where nothing comes."""
    begun = time.monotonic()
    engine = stage.engine()
    answer = _answer(stage, engine, what, _Request(endpoint, request, _TOKEN.patience(stage.patience)).start())
    try:
        return token(answer)
    except ValueError as error:
        no_token = TimedOut(what, time.monotonic() - begun, stage.public(last_line(engine.log)))
        advice = Advice(stage.head.name, str(error), _CURE)
        if answer.status == 0:
            raise stall_error(stage, engine, no_token, advice) from None
        raise no_token.explained(advice.host, advice.cause, advice.cure) from None


def _answer(stage: Stage, engine: UnitLog, what: str, under_way: _Request) -> Answer:
    """Waits with patience of minutes, but not for the answer of a dead engine."""
    patience = _TOKEN.patience(stage.patience) + _GRACE
    with suppress(TimedOut):
        stage.until(what, lambda: _look(stage, engine, under_way), lambda seen: seen.answered, patience)
    if under_way.error:
        raise under_way.error
    return under_way.answer or Answer(0, "its connection stays open")


@dataclass(frozen=True)
class _Seen:
    answered: bool
    last: str = ""

    def __str__(self) -> str:
        return self.last


def _look(stage: Stage, engine: UnitLog, under_way: _Request) -> _Seen:
    """Whether the answer is there. Raises EngineDied with the root cause when the engine dies over it."""
    if under_way.done.wait(0.2):
        return _Seen(True)
    status = engine.look()
    if is_dead(status, engine.log):
        raise crash_error(stage, engine, status)
    return _Seen(under_way.done.is_set(), stage.public(last_line(engine.log)))
