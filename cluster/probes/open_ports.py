"""The ports of ranks, torch and Ray that are reachable from outside the cluster.

These ports need no password, and they accept code. A stand-in program on their
host listens as they do: on every address, and on a port of the kernel's choice.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from pydantic import ValidationError

from cluster.command import Command, Probe, last_json, program
from cluster.errors import HostError, MalformedAnswer
from cluster.inventory import HostSpec, Inventory
from cluster.transport.conversation import Channel, first_answer
from cluster.transport.fleet import Fleet, both
from cluster.transport.host import Host
from cluster.values import Facts, Finding, OpenPort, Reach
from cluster.views import Observed

#: The name of the check.
OPEN_PORTS = "open-ports"

#: Seconds: for one try, for all tries from here, for a host's answer, and for a stand-in that is left behind.
_TRY, _TRIES, _ANSWER, _LIMIT = 1.0, 5.0, 15.0, 40.0
#: The number of addresses of a host that are tried, and of ports that are named.
_ADDRESSES, _NAMED = 8, 12
_AT_ONCE = 64

_WHY = "everyone who reaches these ports can send commands, code and prompts without a password"
_CURE = 'allow only the cluster\'s hosts: "Closed ports" in docs/runbook.md has rules for nft'


@dataclass(frozen=True)
class _StandIn:
    """The answer of a host: where its stand-in listens, and where our other processes do."""

    host: str
    addresses: tuple[str, ...]
    cluster_address: str
    port: int
    listening: tuple[OpenPort, ...]

    def exposed(self, address: str) -> tuple[OpenPort, ...]:
        """Returns the ports that are reachable at this address if the stand-in is."""
        return tuple(each for each in self.listening if each.is_reached_at(address))


def open_ports(inventory: Inventory, fleet: Fleet, seen: Observed) -> tuple[Finding, ...]:
    """Returns a warning for each host and origin that reaches its ports. A host that does not answer has no
    warning."""
    facts = {name: view.facts for name, view in seen.items() if view.facts}
    nonce = secrets.token_hex(16)
    opened: list[Channel] = []
    try:
        answers = fleet.each(lambda host: _stand_in(inventory, host, facts[host.name], nonce, opened), facts)
        stand_ins = [each for each in answers.values() if not isinstance(each, HostError) and each.listening]
        here, peers = both(lambda: _from_here(stand_ins, nonce), lambda: _from_peers(inventory, fleet, stand_ins))
        return (*here, *peers)
    finally:
        for channel in opened:
            channel.close()


def _stand_in(inventory: Inventory, host: Host, facts: Facts, nonce: str, opened: list[Channel]) -> _StandIn:
    spec = inventory.host(host.name)
    command = _command(inventory, facts, nonce)
    channel = host.open(command)
    opened.append(channel)
    answer = first_answer(host.name, command, channel, {"listening"}, _ANSWER)
    try:
        listening = tuple(OpenPort.model_validate(row) for row in answer["listening"])
        return _StandIn(host.name, _addresses(spec, facts), spec.cluster_address, int(answer["port"]), listening)
    except (KeyError, TypeError, ValueError, ValidationError):
        raise MalformedAnswer(host.name, command.title, "the list of its ports cannot be read") from None


def _command(inventory: Inventory, facts: Facts, nonce: str) -> Command:
    payload = {
        "units": [f"{facts.state}/ray", f"{facts.state}/vllm"],
        "but": [inventory.serve.port],
        "nonce": nonce,
        "limit": _LIMIT,
    }
    title, venv = "find the open ports of the ranks", inventory.runtime.venv
    return program("trials.open_ports", payload, title=title, venv=venv, timeout=_LIMIT + 5)


def _addresses(spec: HostSpec, facts: Facts) -> tuple[str, ...]:
    """Returns all addresses that lead to a host from elsewhere, those of the inventory first."""
    held = (address for each in facts.addresses.values() for address in each)
    found = dict.fromkeys((spec.address, spec.cluster_address, *held))
    return tuple(address for address in found if _leads_there(address))[:_ADDRESSES]


def _leads_there(address: str) -> bool:
    """Returns whether an address is valid on another host: a name may be an alias of SSH alone."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified)


def _from_here(stand_ins: Sequence[_StandIn], nonce: str) -> list[Finding]:
    pairs = [(each, address) for each in stand_ins for address in each.addresses]
    pool = ThreadPoolExecutor(_AT_ONCE)
    tries = {pool.submit(_answers, address, each.port, nonce): (each, address) for each, address in pairs}
    done, _ = wait(tries, _TRIES)
    pool.shutdown(wait=False, cancel_futures=True)
    reached = [tries[each] for each in tries if each in done and each.result()]
    return [finding for each, address in reached for finding in _finding(each, address, "this machine")]


def _answers(address: str, port: int, nonce: str) -> bool:
    """Returns whether the stand-in answers: here, the address may belong to another host."""
    try:
        with socket.create_connection((address, port), _TRY) as connection:
            return connection.recv(len(nonce), socket.MSG_WAITALL) == nonce.encode()
    except OSError:
        return False


def _from_peers(inventory: Inventory, fleet: Fleet, stand_ins: Sequence[_StandIn]) -> list[Finding]:
    """Lets one other host try the addresses of each host that are not the cluster's."""
    hosts = [spec.name for spec in inventory.hosts]
    by_peer: dict[str, list[_StandIn]] = {}
    for each in stand_ins:
        peer = hosts[(hosts.index(each.host) + 1) % len(hosts)]
        if peer != each.host:
            by_peer.setdefault(peer, []).append(each)
    outcomes = fleet.each(lambda peer: _reached_by(inventory, peer, by_peer[peer.name]), by_peer)
    reached = {peer: pairs for peer, pairs in outcomes.items() if not isinstance(pairs, HostError)}
    return [each for peer, pairs in reached.items() for pair in pairs for each in _finding(*pair, peer)]


def _reached_by(inventory: Inventory, peer: Host, stand_ins: Sequence[_StandIn]) -> list[tuple[_StandIn, str]]:
    targets = [
        {"peer": each.host, "address": address, "port": each.port, "answers": True}
        for each in stand_ins
        for address in each.addresses
        if address != each.cluster_address
    ]
    payload = {"targets": targets, "limit": _TRY, "length": 1}
    title, venv = "connect to the ports of the ranks", inventory.runtime.venv
    command = program("trials.port_probe", payload, title=title, venv=venv)
    reaches = peer.ask(
        Probe(command, lambda output: tuple(map(Reach.model_validate, last_json(output)["reaches"])))
    )
    well = {(reach.peer, reach.address) for reach in reaches if not reach.problem}
    return [(each, address) for each in stand_ins for address in each.addresses if (each.host, address) in well]


def _finding(stand_in: _StandIn, address: str, origin: str) -> Iterator[Finding]:
    ports = stand_in.exposed(address)
    if not ports:
        return
    names = ", ".join(f"{each.port} ({each.name})" for each in ports[:_NAMED])
    more = f" and {len(ports) - _NAMED} more" if len(ports) > _NAMED else ""
    what = "" if address == stand_in.cluster_address else ", which is not the cluster's address"
    found = f"{origin} reaches the ports of ranks, torch and Ray at {address}{what}: {names}{more}"
    wanted = "ports that only the hosts of the cluster reach, on its own network"
    yield Finding(OPEN_PORTS, stand_in.host, "warning", found, wanted, _WHY, _CURE)
