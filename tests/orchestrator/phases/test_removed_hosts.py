"""Hosts that have left the inventory: cleaned where they answer, named where they do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from cluster.errors import HostError, NotReleased, Unreachable
from cluster.inventory import Inventory, single_host
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import Leftover
from orchestrator.events import HostMessage, PhaseStarted, Sink, Waiting
from orchestrator.phases.removed_hosts import CleanRemovedHosts, Teardown
from orchestrator.run.phase import Situation
from tests.cluster import builders
from tests.doubles import ScriptedTransport
from tests.orchestrator.scripted_stage import ScriptedRun, facts_answer, scripted_run

THREE, TWO = builders.inventory(hosts=3), builders.inventory(hosts=2)
GONE = single_host(THREE, "gpu-c")
LOST = Unreachable("gpu-c", "connect", cause="no route", cure="see its cable")
CURE = "remove places.json"
SEEN = facts_answer(builders.facts(GONE.head, state="/var/tmp/o-0/cc"))

Down = Callable[[Inventory, Fleet, Sink], None]


def ran(
    look: str | HostError = SEEN, down: Down = lambda *_: None
) -> tuple[tuple[Leftover, ...], ScriptedRun, list[Sequence[Inventory]]]:
    transport = ScriptedTransport({"facts": look})
    kept: list[Sequence[Inventory]] = []
    teardown = Teardown(lambda host: Fleet([Host(host.head.name, transport)]), down, kept.append, CURE)
    play = scripted_run(inventory=TWO)
    handover = CleanRemovedHosts([GONE], teardown).run(play.stage)
    assert transport.closed
    return handover.removed, play, kept


def test_nothing_to_do() -> None:
    assert CleanRemovedHosts().skip(Situation(TWO, builders.seen(TWO))) == "no host was removed from the inventory"
    assert CleanRemovedHosts([GONE]).skip(Situation(TWO, builders.seen(TWO))) is None


def test_one_that_answers_is_taken_down_and_forgotten() -> None:
    taken: list[str] = []

    def down(host: Inventory, fleet: Fleet, sink: Sink) -> None:
        taken.append(host.head.name)
        for event in (PhaseStarted("Stop Ray"), HostMessage("", "all is free"), Waiting("it", 1.0, "")):
            sink(event)

    removed, play, kept = ran(down=down)
    assert (taken, removed, kept) == (["gpu-c"], (), [[]])
    assert play.events == [
        HostMessage("gpu-c", "it was removed from the inventory; removing this cluster from it"),
        HostMessage("gpu-c", "all is free"),
        Waiting("it", 1.0, ""),
    ]


def test_one_that_is_lost_is_named_and_kept_in_mind() -> None:
    removed, play, kept = ran(LOST)
    assert removed == (Leftover("gpu-c", "could not be inspected: no route", CURE, provable=False),)
    assert kept == [[GONE]]
    assert play.events == [
        HostMessage(
            "gpu-c",
            "it was removed from the inventory, and could not be inspected: no route",
            "warning",
            cure=CURE,
        )
    ]


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (
            NotReleased([Leftover("gpu-c", "pid 7 of ray", "kill it")]),
            Leftover("gpu-c", "pid 7 of ray", "kill it"),
        ),
        (LOST, Leftover("gpu-c", "could not be inspected: no route", CURE, provable=False)),
    ],
)
def test_one_that_does_not_let_go(error: Exception, left: Leftover) -> None:
    def down(*_: object) -> None:
        raise error

    removed, _, kept = ran(down=down)
    assert (removed, kept) == ((left,), [[GONE]])


def test_another_way_to_a_host_of_the_inventory_leads_to_nothing_old() -> None:
    """Its address is spelled otherwise now: what runs there is wanted."""

    def down(*_: object) -> None:
        raise AssertionError("it was taken down")

    removed, _, kept = ran(facts_answer(builders.facts(TWO.host("gpu-b"))), down)
    assert (removed, kept) == ((), [[]])
