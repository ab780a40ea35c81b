"""One look at every host: facts, or why there are none."""

from __future__ import annotations

from cluster.errors import CommandFailed, HostError, MalformedAnswer, Unreachable
from cluster.state.observe import observe
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import Presence
from cluster.views import Observed
from tests.cluster.builders import facts, inventory
from tests.doubles import Answer, ScriptedTransport, failed

INVENTORY = inventory(hosts=3)


def look(**answers: Answer) -> Observed:
    """What is seen when the hosts answer well, but for those told otherwise."""
    transports = {
        spec.name: ScriptedTransport({"facts": answers.get(spec.name[-1], facts(spec).model_dump_json())})
        for spec in INVENTORY.hosts
    }
    return observe(INVENTORY, Fleet([Host(name, transport) for name, transport in transports.items()]))


def test_facts_of_every_host_in_order() -> None:
    seen = look()
    assert list(seen) == ["gpu-a", "gpu-b", "gpu-c"]
    assert [view.facts for view in seen.values()] == [facts(spec) for spec in INVENTORY.hosts]
    assert not any(view.problem for view in seen.values())


def test_a_host_that_cannot_be_looked_at_does_not_hide_the_others() -> None:
    lost = Unreachable("gpu-a", "connect", cause="no route")
    seen = look(a=lost, b="no JSON", c=failed(1, "out of memory"))
    kinds: list[type[HostError]] = [Unreachable, MalformedAnswer, CommandFailed]
    assert [type(view.problem) for view in seen.values()] == kinds
    assert not any(view.facts for view in seen.values())
    assert seen["gpu-a"].problem is lost


def test_of_a_host_that_was_not_seen_nothing_is_claimed() -> None:
    lost = look(a=Unreachable("gpu-a", "connect"))["gpu-a"]
    assert (lost.ray.presence, lost.vllm.presence) == (Presence.ABSENT, Presence.ABSENT)
