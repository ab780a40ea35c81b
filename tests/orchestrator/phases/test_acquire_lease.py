"""One operator at a time."""

from __future__ import annotations

import getpass
import json
from contextlib import nullcontext

import pytest

from cluster.errors import LeaseHeld, PreflightFailed, Unreachable
from cluster.values import Listener, TakenFolder
from cluster.views import HostView
from orchestrator.events import HostMessage
from orchestrator.phases.acquire_lease import AcquireLease
from orchestrator.run.phase import Situation
from tests.cluster import builders
from tests.doubles import ScriptedChannel
from tests.orchestrator.scripted_stage import ScriptedRun, Scripts, facts_answer, payload, scripted_run

ANNA = {"owner": "anna", "machine": "laptop-7", "since": "2026-07-01T09:12:44+00:00", "reason": "up demo"}


def locking(answer: dict[str, object]) -> tuple[ScriptedRun, ScriptedChannel]:
    channel = ScriptedChannel([json.dumps(answer)])
    return scripted_run(channels={"lease": channel}), channel


def test_a_free_lease_is_taken_with_owner_and_reason_and_released_at_the_end() -> None:
    play, channel = locking({"taken": None})
    AcquireLease().run(play.stage)
    lease = payload(play.transports["gpu-a"].executed[0])["lease"]
    assert (lease["owner"], lease["reason"]) == (getpass.getuser(), "up demo")
    assert not channel.closed
    for release in play.at_end:
        release()
    assert channel.closed
    assert play.events == []


def test_one_who_is_gone_is_told_of() -> None:
    play, _ = locking({"taken": ANNA})
    AcquireLease().run(play.stage)
    assert play.events == [
        HostMessage("gpu-a", "took over the lease of anna on laptop-7, whose heartbeat has stopped")
    ]
    for release in play.at_end:
        release()


def test_a_lease_that_nobody_can_read_is_said() -> None:
    play, _ = locking({"taken": None, "unwritten": "the state directory is read-only"})
    AcquireLease().run(play.stage)
    message, cause = "other operators cannot read who holds the lease", "the state directory is read-only"
    assert play.events == [HostMessage("gpu-a", message, cause=cause)]
    for release in play.at_end:
        release()


@pytest.mark.parametrize(("answer", "times"), [({"taken": None}, 1), ({"held": ANNA}, 0)])
def test_who_waits_for_the_lease_is_told_once_it_is_ours(answer: dict[str, object], times: int) -> None:
    play, _ = locking(answer)
    taken: list[str] = []
    with nullcontext() if times else pytest.raises(LeaseHeld):
        AcquireLease(lambda: taken.append("ours")).run(play.stage)
    assert taken == ["ours"] * times
    for release in play.at_end:
        release()


def test_somebody_else_at_work_is_named() -> None:
    play, channel = locking({"held": ANNA})
    with pytest.raises(LeaseHeld, match="demo is held by anna on laptop-7"):
        AcquireLease().run(play.stage)
    assert channel.closed
    assert play.at_end == []


def waiting(*answers: dict[str, object], **facts: object) -> tuple[ScriptedRun, list[str]]:
    """A run that waits while somebody has the lease; `facts` is how the hosts are by then."""
    two = builders.inventory()
    channel = ScriptedChannel([json.dumps(answer) for answer in answers])

    def looks(name: str) -> Scripts:
        return {"facts": facts_answer(builders.facts(two.host(name), **facts))}

    return scripted_run(looks, two, channels={"lease": channel}, lease=60.0), []


def test_hosts_are_checked_again_after_a_wait() -> None:
    """Somebody else has used them meanwhile: what was checked before is old."""
    taken_port = Listener(port=8000, pid=7, command="nc", ours=False)
    play, taken = waiting({"held": ANNA}, {"taken": None}, listeners=(taken_port,))
    with pytest.raises(PreflightFailed) as caught:
        AcquireLease(lambda: taken.append("ours"), recheck=True).run(play.stage)
    assert {finding.name for finding in caught.value.findings if finding.blocking} == {"port-free"}
    assert taken == []
    assert [message.message for message in play.events_of(HostMessage)] == [
        "another operator held the lease; checking the hosts again"
    ]
    for release in play.at_end:
        release()


def test_a_lease_that_was_free_leaves_the_check_as_it_was() -> None:
    play, taken = waiting({"taken": None})
    AcquireLease(lambda: taken.append("ours"), recheck=True).run(play.stage)
    assert (taken, play.ran) == (["ours"], [("gpu-a", "lease")])
    for release in play.at_end:
        release()


def test_a_down_that_waited_checks_nothing() -> None:
    play, _ = waiting({"held": ANNA}, {"taken": None})
    AcquireLease().run(play.stage)
    assert {kind for _, kind in play.ran} == {"lease"}
    for release in play.at_end:
        release()


def test_a_lost_head_can_give_no_lease() -> None:
    two = builders.inventory()
    lost = HostView("gpu-a", problem=Unreachable("gpu-a", "connect"))
    seen = builders.seen(two)
    assert AcquireLease().skip(Situation(two, seen)) is None
    assert AcquireLease().skip(Situation(two, seen | {"gpu-a": lost})) == "no lease: gpu-a could not be inspected"


@pytest.mark.parametrize("level", ["parent", "user", "cluster", "ray", "vllm", "cache"])
def test_a_lease_is_taken_where_its_own_folder_is_ours(level: str) -> None:
    """What is in the way of another folder keeps nobody from it: a `down` without one may meet an `up`."""
    two = builders.inventory()
    taken = TakenFolder.model_validate({"level": level, "kind": "owner", "owner": "user nobody"})
    situation = Situation(two, builders.seen(two, state_taken=taken))
    reason = "no lease: its folder on gpu-a is not private to this user"
    assert AcquireLease(needed=False).skip(situation) == (None if level in ("ray", "vllm", "cache") else reason)


def test_an_operator_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nameless)
    play, _ = locking({"taken": None})
    AcquireLease().run(play.stage)
    assert payload(play.transports["gpu-a"].executed[0])["lease"]["owner"].startswith("uid ")
    for release in play.at_end:
        release()


def test_a_head_that_falls_silent_is_named() -> None:
    lost = Unreachable("gpu-a", "take the lease", cause="no answer within 30 s", cure="see whether it is up")

    class Silent(ScriptedChannel):
        def read_line(self, timeout: float) -> str | None:
            raise lost

    with pytest.raises(Unreachable) as caught:
        AcquireLease().run(scripted_run(channels={"lease": Silent([])}).stage)
    assert (caught.value.host, caught.value.cause) == ("gpu-a", "no answer within 30 s")
