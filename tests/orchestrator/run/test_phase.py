"""What a stage remembers of hosts, and what it hands on."""

from __future__ import annotations

from cluster.errors import Unreachable
from cluster.views import HostView
from orchestrator.run.phase import Handover
from tests.cluster import builders
from tests.orchestrator.scripted_stage import facts_answer, scripted_run


def test_a_host_that_is_back_is_asked_once_for_its_folder() -> None:
    """Also where a phase lies between: only a new look at all hosts makes the answer old."""
    two = builders.inventory()
    lost = HostView("gpu-b", problem=Unreachable("gpu-b", "read the facts of the host"))
    answers = {"facts": facts_answer(builders.facts(two.host("gpu-b")))}
    play = scripted_run(answers, two, builders.seen(two) | {"gpu-b": lost})
    assert play.stage.state_folder("gpu-b") == builders.STATE
    assert play.stage.after(Handover()).state_folder("gpu-b") == builders.STATE
    assert [host for host, _ in play.ran] == ["gpu-b"]
