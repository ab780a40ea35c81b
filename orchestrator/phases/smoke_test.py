"""A real generated token through the endpoint: the proof before the announcement."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from cluster.diagnosis.engine_failure import is_dead
from cluster.engine import nccl
from cluster.engine.endpoint import Endpoint, Located, for_clients
from cluster.engine.requests import (
    REFUSALS,
    Answer,
    EndpointRequest,
    Token,
    completion,
    guarded,
    image_question,
    token,
)
from cluster.engine.unit_log import UnitLog
from cluster.engine.vllm_log import last_line
from cluster.errors import ClusterError, NotReady, TimedOut
from orchestrator.events import EndpointVerified, HostMessage, TransportDetected
from orchestrator.run.check_hosts import check_ports
from orchestrator.run.engine_diagnosis import Advice, crash_error, stall_error
from orchestrator.run.phase import Phase, Stage, Waits

#: Seconds beyond the patience for an answer, so that it is the request that ends, and says why.
_GRACE = 15.0

_CURE = "run `up --restart`; if it happens again, read the vllm log on the head"

_OPEN = (
    "leave out what keeps vLLM from its Python middleware (`serve: arguments:`, `environment:`; see `orchestrator "
    "logs --unit vllm`), or leave out `serve: api_key:` and guard the port by other means"
)
#: Seconds for an answer that should come at once.
_REFUSAL = 10.0

_TOKEN = Waits("a generated token", lambda patience: patience.token)


class SmokeTest(Phase):
    title = "Prove it with a token"
    waits = _TOKEN
    acts = False

    def __init__(self, *, ports: bool = False) -> None:
        """`ports` asks for a report of where else the cluster's ports are reachable, now that ranks listen."""
        self._ports = ports

    def run(self, stage: Stage) -> None:
        """Raises NotReady for anything but a token, and where wanted but a token about an image. If a key is set,
        a request without it must be refused."""
        model = stage.inventory.model.served_name
        located = _located(stage)
        endpoint = for_clients(stage.inventory, stage.fleet, located)
        if endpoint.via:
            stage.sink(_from_elsewhere(located, endpoint))
        generated = _ask(stage, endpoint, _TOKEN.what, completion(model))
        if stage.inventory.serve.prove_image:
            _ask(stage, endpoint, "a token about an image", image_question(model))
        if endpoint.key:
            _require_refusal(stage, endpoint)
        if stage.inventory.uses_ray:
            _learn_transport(stage)
        if self._ports:
            check_ports(stage)
        stage.sink(EndpointVerified(endpoint.url, endpoint.origin, generated.text))


def _located(stage: Stage) -> Located:
    """Where the engine answers; waits for the token timeout. Raises NotReady where no server answers, or another
    process does."""
    what = "an answer from the engine"
    try:
        located = stage.until(
            what, stage.locate, lambda seen: _answers(seen.metrics), _TOKEN.patience(stage.patience)
        )
    except TimedOut as error:
        advice = Advice(stage.head.name, "no server answers on the head itself", _CURE)
        raise stall_error(stage, stage.engine(), error, advice) from None
    if located.metrics.stranger:
        head, port = stage.head.name, stage.inventory.serve.port
        find = f"orchestrator exec {head} -- ss -ltnp 'sport = :{port}'"
        cure = f"stop that process there (`{find}` shows it), then run `up` again"
        raise NotReady(what, host=head, cause=located.metrics.text, cure=cure)
    return located


def _answers(metrics: Answer) -> bool:
    return metrics.status != 0 or metrics.stranger


def _from_elsewhere(located: Located, endpoint: Endpoint) -> HostMessage:
    """The message why the endpoint is not asked from here."""
    asking = f"asking from {endpoint.origin}"
    if endpoint.url not in located.impostors:
        return HostMessage("", f"{endpoint.url} cannot be reached from here: {asking}")
    cause = "the server there shows another process_start_time_seconds in /metrics than the engine"
    cure = "find which machine has that address in this network; the key was not sent there"
    message = f"{endpoint.url} is not proved from here to be this engine: {asking}"
    return HostMessage("", message, "warning", cause, cure)


def _require_refusal(stage: Stage, endpoint: Endpoint) -> None:
    """Raises NotReady for the first route that answers a client without the key."""
    for request in guarded(stage.inventory.model.served_name):
        answer = endpoint.without_key().ask(request, _REFUSAL)
        if answer.status not in REFUSALS:
            status = f"HTTP {answer.status}" if answer.status else f"no answer: {answer.text}"
            cause = f"POST {request.path} without the key was not refused ({status})"
            raise NotReady("a refusal without the key", host=stage.head.name, cause=cause, cure=_OPEN)


def _learn_transport(stage: Stage) -> None:
    """Reads the transport again: NCCL names channels, and with them GDRDMA, only when the first data has
    travelled. If NCCL logs nothing, the engine's log is read, since the earlier phase may have ended too
    early."""
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
    """A request in its own thread, so that the engine is watched meanwhile."""

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
    """The generated token. Raises NotReady for anything else, with what every rank is doing."""
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
    """Waits for minutes, but stops when the engine crashes."""
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
    """Whether the answer has arrived. Raises EngineDied with the root cause when the engine crashes."""
    if under_way.done.wait(0.2):
        return _Seen(True)
    status = engine.look()
    if is_dead(status, engine.log):
        raise crash_error(stage, engine, status)
    return _Seen(under_way.done.is_set(), stage.public(last_line(engine.log)))
