"""Tries the connections between all hosts, on the ports that Ray and the ranks need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from cluster.command import Command, Probe, last_json, program
from cluster.errors import HostError, MalformedAnswer
from cluster.inventory import HostSpec, Inventory
from cluster.launch import ray
from cluster.transport.conversation import Channel, first_answer
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import Facts, Reach
from cluster.values.base import Fact, shaped
from cluster.views import Observed

#: Seconds: for one step of one try, for the answer of a host, and for a listener that is left behind.
_LIMIT = 3.0
_ANSWER = 15.0
_LISTENERS_LIMIT = 60.0
#: Bytes: they fill many packets of any size that a link may have.
_LENGTH = 1 << 17
#: The ranks' NCCL and gloo listen on ports that the kernel chooses.
_ANY = 0

#: The ports of one host that can be tried, and whether our own units answer there.
_Ports = dict[int, bool]


class _Listening(Fact):
    """The ports on which a host listens for its peers."""

    listening: tuple[Annotated[int, Field(gt=0, lt=1 << 16)], ...]


def reach(inventory: Inventory, fleet: Fleet, seen: Observed) -> dict[str, tuple[Reach, ...] | HostError]:
    """Tries the connection from every host to every other, among hosts that answered. A single host gives an empty
    result.

    Listeners run on all hosts while all connect. They end when our channels to them end.
    """
    facts = {name: view.facts for name, view in seen.items() if view.facts}
    if len(facts) < 2:
        return {}
    opened: list[Channel] = []
    try:
        listening = fleet.each(lambda host: _listen(inventory, host, facts[host.name], opened), facts)
        ports = {name: each for name, each in listening.items() if not isinstance(each, HostError)}
        reached = fleet.each(lambda host: _connect(inventory, host, facts[host.name], ports), facts)
    finally:
        for channel in opened:
            channel.close()
    return reached | {name: error for name, error in listening.items() if isinstance(error, HostError)}


def ports_to_try(inventory: Inventory, spec: HostSpec) -> tuple[int, ...]:
    """Returns the ports of Ray, and one port from the ranks' range."""
    return (*ray.ports(inventory, spec), _ANY)


def _listen(inventory: Inventory, host: Host, facts: Facts, opened: list[Channel]) -> _Ports:
    """Starts the listener, but not on a host without its cluster address: preflight reports that by itself."""
    spec = inventory.host(host.name)
    if not facts.interface(spec.cluster_address):
        return {}
    command = _listener(inventory, spec)
    channel = host.open(command)
    opened.append(channel)
    answer = first_answer(host.name, command, channel, {"listening"}, _ANSWER)
    tried = ports_to_try(inventory, spec)
    taken = {each.port: False for each in facts.listeners if each.ours and each.port in tried}
    try:
        listening = shaped(_Listening, answer).listening
    except ValueError as error:
        cause = f"the answer cannot be read: {error}"
        raise MalformedAnswer(host.name, command.title, cause=cause) from None
    return taken | dict.fromkeys(listening[: len(tried)], True)


def _listener(inventory: Inventory, spec: HostSpec) -> Command:
    payload = {
        "address": spec.cluster_address,
        "ports": ports_to_try(inventory, spec),
        "limit": _LISTENERS_LIMIT,
        "length": _LENGTH,
        "state": inventory.runtime.state_directory,
    }
    venv, limit = inventory.runtime.venv, _LISTENERS_LIMIT + 5
    return program("trials.port_listener", payload, title="listen for its peers", venv=venv, timeout=limit)


def _connect(inventory: Inventory, host: Host, facts: Facts, ports: dict[str, _Ports]) -> tuple[Reach, ...]:
    targets = list(_targets(inventory, inventory.host(host.name), facts, ports))
    if not targets:
        return ()
    payload = {"targets": targets, "limit": _LIMIT, "length": _LENGTH}
    venv = inventory.runtime.venv
    command = program("trials.port_probe", payload, title="connect to its peers", venv=venv, timeout=60.0)
    return host.ask(Probe(command, lambda output: shaped(tuple[Reach, ...], last_json(output)["reaches"])))


def _targets(
    inventory: Inventory, spec: HostSpec, facts: Facts, ports: dict[str, _Ports]
) -> Iterator[dict[str, Any]]:
    """Yields the targets. Leaves out missing addresses and peers without a route: preflight reports both without a
    try."""
    if not facts.interface(spec.cluster_address):
        return
    for peer, its in ports.items():
        if peer != spec.name and facts.links.sources.get(peer) != "":
            address = inventory.host(peer).cluster_address
            for port, answers in its.items():
                yield {"peer": peer, "address": address, "port": port, "answers": answers}
