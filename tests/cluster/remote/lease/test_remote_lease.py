"""The lock on the head: one holder at a time, always somebody or nobody, never two."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.command import program
from cluster.errors import LeaseHeld, LeaseLost, Unreachable
from cluster.lease import keepalive
from cluster.lease import lease as module
from cluster.lease.lease import HeldLease, take
from cluster.transport import local
from cluster.values import Lease
from tests.cluster.remote.cell import HOST, kill
from tests.cluster.remote.local import VENV, LocalChannel
from tests.timing import eventually


def lease(owner: str) -> Lease:
    return Lease(owner, "laptop", "2026-11-22T10:00:00+00:00", "up demo")


class Holder:
    """The program that holds the lease, under our own hand."""

    def __init__(self, state: str, owner: str = "ann", silence: float = 60.0) -> None:
        fields = {**vars(lease(owner))}
        data = {"folder": state, "lease": fields, "silence": silence}
        self.channel = LocalChannel(program("lease.lease", data, title="hold", venv=VENV))
        self.said: dict[str, Any] = json.loads(self.channel.read_line(20) or "null")

    @property
    def ours(self) -> bool:
        return "taken" in self.said

    def leave(self) -> None:
        self.channel.send(b"bye\n")
        self.channel.close()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "o-0" / "0123abcd"
    yield str(folder)
    if (folder / "lease").exists() and (text := (folder / "lease").read_text()):
        kill({json.loads(text)["pid"]})


def holders(state: str) -> set[int]:
    """The program that the lease names."""
    return {json.loads((Path(state) / "lease").read_text())["pid"]}


def taken(state: str, owner: str) -> HeldLease:
    return take(HOST, "demo", lease(owner), state, VENV)


def test_taken_and_given_back_leaves_nothing(state: str, tmp_path: Path) -> None:
    held = taken(state, "ann")
    assert held.left_by is None
    assert (Path(state) / "lease").stat().st_mode & 0o777 == 0o600
    held.release()
    assert list(tmp_path.iterdir()) == []


def test_what_else_is_in_the_folder_stays(state: str) -> None:
    held = taken(state, "ann")
    (Path(state) / "cache").mkdir()
    held.release()
    assert os.listdir(state) == ["cache"]


def test_one_at_a_time(state: str) -> None:
    held = taken(state, "ann")
    with pytest.raises(LeaseHeld) as caught:
        taken(state, "bob")
    assert caught.value.lease == lease("ann")
    held.release()
    after = taken(state, "bob")
    assert after.left_by is None
    after.release()


def test_of_twenty_one_has_it(state: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        everybody = list(pool.map(lambda number: Holder(state, f"owner-{number}"), range(20)))
    (winner,) = (one for one in everybody if one.ours)
    held = {one.said["held"]["owner"] for one in everybody if not one.ours}
    assert held == {json.loads((Path(state) / "lease").read_text())["owner"]}
    for one in everybody:
        if one is not winner:
            one.channel.close()
    winner.leave()


def test_a_lease_that_goes_round_is_never_two(state: str) -> None:
    """Each gives it back at once, so that files are removed under those who take."""

    def turn(number: int) -> int:
        one = Holder(state, f"owner-{number}")
        if not one.ours:
            one.channel.close()
            return 0
        assert one.said["taken"] is None
        assert json.loads((Path(state) / "lease").read_text())["owner"] == f"owner-{number}"
        one.leave()
        return 1

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(turn, range(20))) >= 1
    assert not Path(state).exists()


def test_a_silent_owner_loses_it(state: str) -> None:
    silent = Holder(state, "ann", silence=0.2)
    assert silent.channel.result().status == 1
    after = taken(state, "bob")
    assert after.left_by == lease("ann")
    after.release()
    silent.channel.close()


def test_one_who_is_heard_keeps_it(state: str) -> None:
    one = Holder(state, "ann", silence=1.0)
    for number in range(12):
        one.channel.send(f"{number}\n".encode())
        assert json.loads(one.channel.read_line(5) or "") == {"heard": str(number)}
        assert one.channel.read_line(0.1) is None
    assert one.channel.process.poll() is None
    one.leave()


@pytest.mark.parametrize("how", ["the holder is killed", "the connection ends"])
def test_an_owner_who_vanishes_is_told_of(state: str, how: str) -> None:
    gone = Holder(state, "ann")
    if how == "the holder is killed":
        for pid in holders(state):
            os.kill(pid, signal.SIGKILL)
    gone.channel.close()
    after = eventually(lambda: free(state))
    assert after
    assert after.left_by == lease("ann")
    after.release()


def free(state: str) -> HeldLease | None:
    try:
        return taken(state, "bob")
    except LeaseHeld:
        return None


@pytest.mark.parametrize("left", ["", "{", "null", "[1]", '{"owner": "ann"}'])
def test_a_file_that_says_nothing_is_no_owner(state: str, left: str) -> None:
    Path(state).mkdir(parents=True)
    (Path(state) / "lease").write_text(left)
    held = taken(state, "ann")
    assert held.left_by is None
    held.release()


def test_a_lease_is_broken_on_purpose_and_its_owner_hears_who_did_it(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepalive, "_BEAT", 0.01)
    held = taken(state, "ann")
    held.check()
    assert module.break_lease(HOST, state, VENV, lease("bob")) == lease("ann")
    assert module.break_lease(HOST, state, VENV, lease("bob")) is None
    with pytest.raises(LeaseLost) as caught:
        eventually(lambda: held.check())
    assert caught.value.lease.owner == "bob"
    taken(state, "cat").release()


def test_a_lease_that_lost_its_connection_is_taken_again(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "_BEAT", 0.01)
    held = taken(state, "ann")
    before = holders(state)
    kill(before)

    def taken_again() -> bool:
        held.check()
        return holders(state) != before

    eventually(taken_again)
    with pytest.raises(LeaseHeld):
        taken(state, "bob")
    held.release()


def test_a_lease_that_somebody_had_in_between_is_lost(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "_BEAT", 0.01)
    held = taken(state, "ann")
    kill(holders(state))
    theirs = eventually(lambda: taken(state, "bob"))
    with pytest.raises(LeaseLost) as caught:
        eventually(lambda: held.check())
    assert caught.value.lease.owner == "bob"
    theirs.release()


def test_an_owner_who_slept_for_too_long_asks_before_it_goes_on(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host still holds it: its answer is enough."""
    held = taken(state, "ann")
    program = holders(state)
    slept_at = keepalive.now()
    monkeypatch.setattr(keepalive, "now", lambda: slept_at + 3600)
    held.check()
    assert holders(state) == program
    held.release()


def test_an_owner_whose_host_does_not_answer_takes_it_again(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host may have freed it since: nothing is done on the strength of an old answer."""
    held = taken(state, "ann")
    frozen = holders(state)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    hung: list[local.LocalChannel] = []
    with monkeypatch.context() as patched:
        patched.setattr(keepalive, "_TRUST", 0.0)
        patched.setattr(keepalive, "_PROOF", 0.05)
        patched.setattr(local.LocalChannel, "close", lambda channel: hung.append(channel))
        with pytest.raises(Unreachable, match="take the lease again"):
            held.check()
    kill(frozen)
    for channel in hung:
        channel.close()
    eventually(lambda: again(held))
    assert holders(state) != frozen
    held.release()


def again(held: HeldLease) -> bool:
    try:
        held.check()
    except Unreachable:
        return False
    return True
