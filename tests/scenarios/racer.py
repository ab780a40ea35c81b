"""One operator of a race for the lease, in a process of its own: obeys words on stdin and answers on stdout.

Arguments: inventory, name, witness (a folder that one alone may make). Words on stdin: take, check, release.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cluster.errors import LeaseHeld, LeaseLost
from cluster.inventory import load
from cluster.lease import lease
from cluster.lease.lease import HeldLease
from cluster.state.observe import observe
from cluster.values import Lease
from orchestrator.local.settings import Settings
from orchestrator.session.session import connected


def say(word: str) -> None:
    print(word, flush=True)


def race(path: Path, name: str, witness: Path) -> None:
    inventory = load(path, os.environ)
    fleet = connected(inventory, Settings())
    head = inventory.head.name
    facts = observe(inventory, fleet.subset([head]))[head].facts
    assert facts
    mine = Lease(name, "race", "2026-11-24T12:00:00+00:00", "race")
    held: HeldLease | None = None
    say("ready")
    for word in sys.stdin:
        match word.strip():
            case "take":
                try:
                    held = lease.take(fleet[head], inventory.cluster, mine, facts.state, inventory.runtime.venv)
                    say(enter(witness))
                except LeaseHeld as error:
                    say(f"held by {error.lease.owner}")
            case "check":
                assert held
                say(check(held))
            case "release":
                assert held
                witness.rmdir()
                held.release()
                say("released")


def enter(witness: Path) -> str:
    """Makes the folder that only one can make: a judge that knows nothing of locks."""
    try:
        witness.mkdir()
    except FileExistsError:
        return "two at once"
    return "won"


def check(held: HeldLease) -> str:
    try:
        held.check()
    except LeaseLost as lost:
        return f"lost to {lost.lease.owner}"
    return "mine"


if __name__ == "__main__":
    race(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
