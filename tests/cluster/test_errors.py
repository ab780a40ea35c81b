"""Errors carry what a person has to hear."""

from __future__ import annotations

import cluster.errors
from cluster.command import Command, Hint
from cluster.errors import (
    ClusterError,
    CommandFailed,
    CommandTimedOut,
    FleetError,
    HostError,
    InventoryError,
    LeaseHeld,
    MalformedAnswer,
    NotReady,
    NotReleased,
    PreflightFailed,
    Unreachable,
)
from cluster.values import Finding, Lease, Leftover

HINTS = (Hint("No space", "the disk is full", "free some"), Hint("space", "never reached", ""))
COMMAND = Command(("mkdir", "x"), "make a folder", timeout=5.0, hints=HINTS)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    kinds = [
        one for one in vars(cluster.errors).values() if isinstance(one, type) and issubclass(one, ClusterError)
    ]
    assert cluster.errors.__doc__
    assert all(one.__name__ in cluster.errors.__doc__ for one in kinds)


def test_a_failed_command_keeps_all_that_was_said() -> None:
    error = CommandFailed("a", COMMAND, 3, "out", "No space left\n")
    assert (error.status, error.stdout, error.stderr, error.output) == (
        3,
        "out",
        "No space left\n",
        "No space left",
    )
    assert (error.cause, error.cure) == ("the disk is full", "free some")
    assert str(error) == "a: make a folder"


def test_the_hint_may_lie_in_stdout() -> None:
    error = CommandFailed("a", COMMAND, 1, "No space", " ")
    assert error.output == "No space"
    assert error.cause == "the disk is full"


def test_without_a_hint_there_is_no_cause() -> None:
    error = CommandFailed("a", COMMAND, 1, "", "Segmentation fault")
    assert (error.cause, error.cure) == ("", "")


def test_a_time_limit_is_said_in_seconds() -> None:
    assert CommandTimedOut("a", COMMAND).cause == "the command did not finish within 5 s"


def test_several_hosts_are_one_line_each() -> None:
    error = FleetError([Unreachable("a", "connect"), MalformedAnswer("b", "read the facts of the host")])
    assert str(error) == "a: connect\nb: read the facts of the host"
    assert all(isinstance(one, HostError) for one in error.errors)


def test_findings_are_counted_but_all_kept() -> None:
    findings = [
        Finding("x", "a", severity, "found") for severity in ("blocking", "warning", "unchecked", "blocking")
    ]
    error = PreflightFailed(findings)
    assert str(error) == "2 blocking findings"
    assert error.findings == tuple(findings)
    assert str(PreflightFailed(findings[:1])) == "1 blocking finding"


def test_a_lease_says_who_why_and_how_to_break_it() -> None:
    error = LeaseHeld("demo", Lease("ann", "laptop", "2026-11-22T10:00:00+00:00", "up demo"))
    assert str(error) == "demo is held by ann on laptop since 2026-11-22T10:00:00+00:00: up demo"
    assert "unlock" in error.cure


def test_what_is_left_is_counted() -> None:
    assert str(NotReleased([Leftover("a", "pid 1")])) == "1 resource may still be in use"
    assert str(NotReleased([Leftover("a", "pid 1"), Leftover("b", "pid 2")])) == "2 resources may still be in use"


def test_an_inventory_error_says_which_file() -> None:
    error = InventoryError("i.yaml", ["i.yaml:1: wrong", "i.yaml:2: wrong too"])
    assert (str(error), error.cure) == ("i.yaml:1: wrong\ni.yaml:2: wrong too", "correct i.yaml")


def test_not_ready_says_how_long_and_what_last() -> None:
    error = NotReady("the engine", 12.0, "loading", host="a", cause="it died")
    assert (error.what, error.waited, error.last, error.host, error.cause) == (
        "the engine", 12.0, "loading", "a", "it died",
    )  # fmt: skip
