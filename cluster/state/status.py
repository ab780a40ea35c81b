"""The running units, and whether the engine generates tokens. It is read at each call, and never stored."""

from __future__ import annotations

import re

from cluster.diagnosis.unit_failure import UnitFailure, unit_failure
from cluster.engine import gpu
from cluster.engine.endpoint import Endpoint, locate, public_url
from cluster.engine.requests import METRICS, Answer, EndpointRequest, Load, completion, load, token
from cluster.engine.unit_log import UnitLog
from cluster.engine.vllm_log import READY, loading
from cluster.errors import HostError, TimedOut
from cluster.inventory import Inventory
from cluster.state.desired import vllm_runs
from cluster.state.observe import observe
from cluster.transport.fleet import Fleet
from cluster.transport.wait import until
from cluster.values import EndpointStatus, HostStatus, Presence
from cluster.views import HostView, Observed

#: Seconds. A status must answer at once: a slower token is itself a result.
_TOKEN_PATIENCE = 1.0

_WAIT = "`up` waits for the engine, and shows the cause if it fails"
_STRANGER = "find the process that listens there with `ss -ltnp`, and end it; the key was not sent"
_ANEW = "`up --restart` starts vLLM again"


def status(inventory: Inventory, fleet: Fleet) -> tuple[list[HostStatus], EndpointStatus | None]:
    """Returns the status of every host, and of the endpoint where our vLLM runs."""
    seen = observe(inventory, fleet)
    failures = fleet.all(lambda host: unit_failure(inventory, host, seen[host.name]))
    hosts = [_host(inventory, view, failures[name]) for name, view in seen.items()]
    if seen[inventory.head.name].vllm.presence is not Presence.ALIVE:
        return hosts, None
    return hosts, _endpoint(inventory, fleet, seen)


def _engine(inventory: Inventory, fleet: Fleet, seen: Observed) -> UnitLog:
    head = inventory.head.name
    facts = seen[head].facts
    assert facts is not None
    return UnitLog(fleet[head], "vllm", facts.state, inventory.runtime.venv)


def _host(inventory: Inventory, view: HostView, failure: UnitFailure) -> HostStatus:
    if view.facts is None:
        return HostStatus(view.name, None, None, None, None, None, *failure)
    cards = gpu.selected(inventory.host(view.name), view.facts)
    used = sum(any(process.ours for process in card.processes) for card in cards)
    ages = [unit.age for unit in (view.ray, view.vllm) if unit.presence is Presence.ALIVE]
    return HostStatus(
        view.name,
        view.ray.presence,
        view.vllm.presence,
        used,
        len(cards),
        max(ages, default=None),
        *failure,
    )


def _endpoint(inventory: Inventory, fleet: Fleet, seen: Observed) -> EndpointStatus:
    facts = seen[inventory.head.name].facts
    assert facts is not None
    where = locate(inventory, fleet[inventory.head.name], facts.state, _TOKEN_PATIENCE).endpoint
    url = public_url(inventory, where)
    health = where.ask(EndpointRequest("/health"), _TOKEN_PATIENCE)
    if health.stranger:
        return EndpointStatus(url, False, None, health.text, _STRANGER)
    if health.status != 200:
        return _unhealthy(url, health, _engine(inventory, fleet, seen))
    healthy, detail = _tokens(where, inventory.model.served_name)
    cure = "" if healthy else _ANEW
    if where.via:
        detail += f"; asked on {where.origin}"
    if not vllm_runs(inventory, seen):
        detail += "; it is outdated: `up` would replace it"
    return EndpointStatus(url, True, healthy, detail, cure)


def _unhealthy(url: str, health: Answer, engine: UnitLog) -> EndpointStatus:
    """Returns why the endpoint does not answer: its log shows whether the engine was ready, or still starts."""
    try:
        engine.look()
    except HostError as error:
        return EndpointStatus(url, False, None, error.reason, error.cure)
    answer = f"/health answers {health.status}" if health.status else ""
    if any(re.search(READY, line) for line in engine.log.splitlines()):
        detail = f"it no longer answers: {answer or health.text or 'no process listens'}"
        return EndpointStatus(url, False, False, detail, _ANEW)
    return EndpointStatus(url, False, None, answer or str(loading(engine.log)), _WAIT)


def _tokens(where: Endpoint, served_name: str) -> tuple[bool, str]:
    """Returns whether tokens come: a busy engine shows it by its counter, an idle engine is asked for a token."""
    try:
        before = load(where.ask(METRICS, _TOKEN_PATIENCE).text)
        if before.running == 0:
            return _generates(where, served_name)
        return _rising(where, before)
    except ValueError:
        return _generates(where, served_name)


def _rising(where: Endpoint, before: Load) -> tuple[bool, str]:
    """Waits for the counter. Raises ValueError when the engine no longer reports its load."""
    try:
        after = until(
            "a token",
            lambda: load(where.ask(METRICS, _TOKEN_PATIENCE).text),
            lambda now: now.generated > before.generated or now.running == 0,
            patience=_TOKEN_PATIENCE,
            notice=lambda *_: None,
            interval=0.1,
        )
    except TimedOut:
        return False, f"{before.running} requests are running, but no token came within {_TOKEN_PATIENCE:g} s"
    return True, f"{after.running} requests are running, {after.generated} tokens so far"


def _generates(where: Endpoint, served_name: str) -> tuple[bool, str]:
    try:
        token(where.ask(completion(served_name), _TOKEN_PATIENCE))
    except ValueError as error:
        return False, str(error)
    return True, "it generated a token just now"
