"""Fifty races of two operators for one cluster, some of whom die, and some of whose leases are broken."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.hosts import ROOT, Hosts
from tests.scenarios.operator import Operator
from tests.timing import LIMIT, Stopwatch, eventually

pytestmark = pytest.mark.scenario

_ROUNDS = 50
#: Seconds within which a lease is free whose owner was killed.
_SOON = 10.0


@dataclass
class Racer:
    name: str
    inventory: Path
    witness: Path
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, name: str, inventory: Path, witness: Path) -> Racer:
        argv = [sys.executable, "-m", "tests.scenarios.racer", str(inventory), name, str(witness)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        one = cls(name, inventory, witness, process)
        assert one.hear() == "ready"
        return one

    def tell(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def ask(self, word: str) -> str:
        self.tell(word)
        return self.hear()

    def kill(self) -> Racer:
        """Ends it as the kernel would; a racer of the same name takes its place."""
        self.end()
        self.witness.rmdir()
        return Racer.start(self.name, self.inventory, self.witness)

    def end(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(LIMIT)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()


@pytest.fixture
def racers(untouched: Hosts, tmp_path: Path) -> Iterator[list[Racer]]:
    found = [Racer.start(name, untouched.inventory, tmp_path / "inside") for name in ("ann", "bob")]
    yield found
    for one in found:
        one.end()


def test_never_two_and_never_none(racers: list[Racer], untouched: Hosts, operator: Operator) -> None:
    endings = {"released": 0, "killed": 0, "broken": 0}
    for number in range(_ROUNDS):
        winner, loser = _race(racers)
        ending = "killed" if number % 5 == 1 else "broken" if number % 10 == 3 else "released"
        _end(ending, winner, loser, racers, untouched, operator)
        endings[ending] += 1
        _wins(loser)
        assert loser.ask("release") == "released"
    assert endings == {"released": 35, "killed": 10, "broken": 5}


def _race(racers: list[Racer]) -> tuple[Racer, Racer]:
    """Exactly one wins, and the other is told who."""
    for one in racers:
        one.tell("take")
    said = {one.name: one.hear() for one in racers}
    assert sorted(said.values())[1:] == ["won"], said
    winner, loser = sorted(racers, key=lambda one: said[one.name] != "won")
    assert said[loser.name] == f"held by {winner.name}"
    assert winner.ask("check") == "mine"
    return winner, loser


def _end(ending: str, winner: Racer, loser: Racer, racers: list[Racer], hosts: Hosts, operator: Operator) -> None:
    match ending:
        case "killed":
            racers[racers.index(winner)] = winner.kill()
        case "broken":
            done = operator.run("unlock", hosts.inventory, "--reason", "a race")
            assert done.returncode == 0, done.stderr
            assert winner.ask("check").startswith("lost to ")
            winner.witness.rmdir()
        case _:
            assert winner.ask("release") == "released"


def _wins(loser: Racer) -> None:
    """The lease of whoever is gone is free; the host may need a moment to notice a connection that broke."""

    def has_won() -> bool:
        said = loser.ask("take")
        assert said == "won" or said.startswith("held by "), said
        return said == "won"

    with Stopwatch() as watch:
        eventually(has_won, "the lease of whoever is gone")
    assert watch.seconds < _SOON
