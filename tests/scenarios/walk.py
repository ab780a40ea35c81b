"""A walk over what an operator and bad luck may do, by chance alone, and what must hold all the while."""

from __future__ import annotations

import json
import random
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.scenarios.faults.breakages import cut, heal, signal
from tests.scenarios.faults.parsed_report import from_error
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.timing import LIMIT

_HOSTS = ("node0", "node1")
_WORDS = {"up": 4, "restart": 1, "recreate": 1, "down": 2, "kill": 4, "cut": 1, "abandon": 1}
#: Seconds in which a process that was killed takes along what hangs on it.
_SETTLED = 3.0
#: Seconds that a run may take before its operator is killed.
_ABANDONED = 8.0


@dataclass
class Walk:
    """`notes` is what was done and what became of it, `counts` how often, `seconds` how long all of it took."""

    hosts: Hosts
    operator: Operator
    chance: random.Random
    off: str = ""
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def step(self) -> None:
        """One round."""
        (word,) = self.chance.choices(list(_WORDS), list(_WORDS.values()))
        begun = time.monotonic()
        steps: dict[str, Callable[[], str]] = {
            "up": self._up,
            "restart": lambda: self._up("--restart"),
            "recreate": lambda: self._up("--recreate"),
            "down": self._down,
            "kill": self._kill,
            "cut": self._cut,
            "abandon": self._abandon,
        }
        became = steps[word]()
        took = time.monotonic() - begun
        self.seconds += took
        self.notes.append(f"{word}: {became} ({took:.1f} s)")

    def end(self) -> None:
        """All is well again, and `down` leaves nothing."""
        self._heal()
        assert self._down() == "nothing left"

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The lease of a program that was killed beside a host that is cut off lives for a while."""
        return self.operator.run(*words, str(self.hosts.inventory), "--wait", "--output", "json")

    def _up(self, *words: str) -> str:
        """An endpoint that generates, or an error that is explained, which only a cut excuses."""
        done = self._run("up", *words)
        if done.returncode == 0:
            announced = json.loads(done.stdout)
            assert tokens(announced["url"], announced["served_name"]) == 1
            return self._count("announced")
        report = from_error(json.loads(done.stdout))
        assert report.complete, done.stdout
        assert self.off, f"{report}\n{done.stderr[-3000:]}"
        assert self.off in report.host, report
        return self._count(f"explained (exit {done.returncode})")

    def _down(self) -> str:
        """Nothing is left, but on a host that is cut off, and that is named."""
        done = self._run("down")
        if self.off:
            assert done.returncode in (4, 7), done.stdout + done.stderr
            assert self.off in from_error(json.loads(done.stdout)).host
            return self._count("the lost host is named")
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        self.hosts.assert_clean(*_HOSTS)
        return self._count("nothing left")

    def _kill(self) -> str:
        """Any process of ours; what hangs on it may go as well."""
        host = self.chance.choice(_HOSTS)
        found = self.hosts.processes(host)
        if not found:
            return self._count("nothing to kill")
        pid = self.chance.choice(sorted(found))
        signal(self.hosts, host, "KILL", pid)
        self._settle()
        self._count("killed")
        return f"{host}: {' '.join(found[pid].split()[:4])[-90:]}"

    def _settle(self) -> None:
        last: dict[str, set[int]] = {}
        since = time.monotonic()

        def still() -> bool:
            nonlocal last, since
            now = {host: set(self.hosts.processes(host)) for host in _HOSTS}
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > _SETTLED

        wait_for("the hosts to settle", still)

    def _cut(self) -> str:
        """A host that is cut off, or is back."""
        if self.off:
            return self._heal()
        self.off = self.chance.choice(_HOSTS)
        cut(self.hosts, self.off)
        return self._count(f"{self.off} is cut off")

    def _heal(self) -> str:
        if self.off:
            heal(self.hosts, self.off)
        self.off, was = "", self.off
        return f"{was} is back"

    def _abandon(self) -> str:
        """The program is killed somewhere on its way up or down."""
        verb = self.chance.choice(("up", "down"))
        after = self.chance.uniform(0.3, _ABANDONED)
        with self.operator.start(verb, self.hosts.inventory, "--output", "json") as run:
            try:
                run.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                run.kill()
                run.communicate()
        return f"{verb}, {self._count('killed on its way')} after {after:.1f} s"

    def _count(self, what: str) -> str:
        self.counts[what] += 1
        return what


def tokens(url: str, model: str) -> int:
    """Asked as anybody may."""
    body = json.dumps({"model": model, "prompt": "1", "max_tokens": 1, "ignore_eos": True}).encode()
    request = urllib.request.Request(f"{url}/v1/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:
        return int(json.load(answer)["usage"]["completion_tokens"])
