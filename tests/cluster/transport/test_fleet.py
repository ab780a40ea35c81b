"""All hosts at once, over scripted transports."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Collection
from pathlib import Path

import pytest

from cluster.command import Command, Result
from cluster.errors import CommandFailed, FleetError, HostError, Unreachable
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from tests.doubles import Answer, ScriptedTransport, failed
from tests.timing import LIMIT, Stopwatch

LOOK = Command(("hostname",), "ask for its name")
NAMES = ("c", "a", "b")


def fleet(**answers: Answer) -> Fleet:
    """Three hosts that say their own name, but for those told otherwise."""
    return Fleet([Host(name, ScriptedTransport({LOOK.kind: answers.get(name, name)})) for name in NAMES])


def look(host: Host) -> str:
    return host.run(LOOK).stdout


def test_in_the_order_of_the_inventory() -> None:
    hosts = fleet()
    assert [host.name for host in hosts] == list(hosts.names) == list(NAMES)
    assert hosts["a"].name == "a"
    assert len(hosts) == 3
    assert hosts.subset(["b", "c"]).names == ("c", "b")
    with pytest.raises(KeyError):
        hosts.subset(["d"])


def test_all_brings_what_each_gave() -> None:
    assert fleet().all(look) == {"c": "c", "a": "a", "b": "b"}
    assert list(fleet().all(look)) == list(NAMES)
    assert fleet().all(look, among=["b", "a"]) == {"a": "a", "b": "b"}


def test_each_keeps_every_failure_with_its_type() -> None:
    outcomes = fleet(a=failed(1), b=Unreachable("b", "connect")).each(look)
    assert [type(outcome) for outcome in outcomes.values()] == [str, CommandFailed, Unreachable]


def test_one_failure_is_raised_as_it_is() -> None:
    with pytest.raises(CommandFailed) as failure:
        fleet(a=failed(1)).all(look)
    assert failure.value.host == "a"


def test_several_failures_are_raised_together_in_order() -> None:
    with pytest.raises(FleetError) as failure:
        fleet(b=failed(1), c=Unreachable("c", "connect")).all(look)
    assert [(error.host, type(error)) for error in failure.value.errors] == [
        ("c", Unreachable),
        ("b", CommandFailed),
    ]


def test_all_run_at_once() -> None:
    meeting = threading.Barrier(len(NAMES))
    assert set(fleet().all(lambda host: meeting.wait(LIMIT))) == set(NAMES)


def test_a_defect_is_raised_once_all_are_done() -> None:
    done: list[str] = []

    def work(host: Host) -> None:
        if host.name == "c":
            raise ZeroDivisionError
        while "a" not in done and host.name == "b":
            threading.Event().wait(0.001)
        done.append(host.name)

    with pytest.raises(ZeroDivisionError):
        fleet().each(work)
    assert done == ["a", "b"]


def test_waits_for_the_slowest_though_another_failed() -> None:
    failed_already = threading.Event()

    def work(host: Host) -> str:
        if host.name == "c":
            failed_already.set()
            raise HostError("c", "fail")
        assert failed_already.wait(LIMIT)
        return host.name

    assert list(fleet().each(work).values())[1:] == ["a", "b"]


def test_hanging_up_does_not_wait_for_a_host_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.transport.fleet._CLOSE_TIMEOUT", 0.1)
    transports = {name: ScriptedTransport() for name in NAMES}
    forever = threading.Event()
    monkeypatch.setattr(transports["c"], "close", forever.wait)
    with Stopwatch() as watch:
        Fleet([Host(name, transport) for name, transport in transports.items()]).close()
    assert watch.seconds < 2
    assert [transports[name].closed for name in NAMES] == [False, True, True]
    forever.set()


HANGING = """
import sys, threading
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from tests.doubles import ScriptedTransport

def hang(host):
    print("hangs", flush=True)
    threading.Event().wait()

try:
    Fleet([Host("a", ScriptedTransport())]).each(hang)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_is_heard_while_a_host_hangs() -> None:
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, cwd=root)
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == b"hangs\n"
        with Stopwatch() as watch:
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT) == 130
    assert watch.seconds < 2


def test_an_interrupt_as_threads_start_leaves_no_signal_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython raises what arrived before from within `pthread_sigmask`, which has blocked them by then."""
    real, before = signal.pthread_sigmask, signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def interrupted(how: int, mask: Collection[signal.Signals]) -> object:
        result = real(how, mask)
        if how == signal.SIG_BLOCK and mask:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(signal, "pthread_sigmask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Fleet([Host("a", ScriptedTransport())]).close()
    assert real(signal.SIG_BLOCK, ()) == before


def test_the_answers_of_a_script_follow_each_other() -> None:
    not_yet = Result(1, "", "not yet")
    host = Host("a", ScriptedTransport([(lambda command: "host" in command.argv[0], [not_yet, "ready"])]))
    with pytest.raises(CommandFailed):
        look(host)
    assert [look(host), look(host)] == ["ready", "ready"]
    with pytest.raises(AssertionError, match="no answer for"):
        host.run(Command(("ls",), "list"))


def test_within_a_time_those_that_have_ended() -> None:
    hung = threading.Event()
    over = threading.Event()

    def work(host: Host) -> str:
        if host.name == "a":
            hung.set()
            over.wait(LIMIT)
        return host.name

    hosts = fleet(b=Unreachable("b", "connect"))
    with Stopwatch() as watch:
        found = hosts.within(1.0, lambda host: look(host) if host.name == "b" else work(host))
    assert watch.seconds < 5
    assert hung.is_set()
    assert list(found) == ["c", "b"]
    assert isinstance(found["b"], Unreachable)
    over.set()
