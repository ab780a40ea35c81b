"""A run of the program that a scenario follows event by event, and ends in its own way."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.timing import LIMIT, Stopwatch

#: Seconds after which a second Ctrl-C is a person's.
_ECHO = 0.7

#: Seconds from Ctrl-C to a clean prompt, where the hosts are well.
SOON = 20.0


@dataclass(frozen=True)
class Running:
    """`said` is every event so far, in order."""

    process: subprocess.Popen[str]
    said: list[dict[str, Any]] = field(default_factory=list)
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def read(self) -> None:
        """Until the process is gone."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def until_phase(self, title: str) -> None:
        """Returns as soon as the phase has begun; fails when it is skipped, or the run ends without."""
        for event in self.events():
            if event.get("title") == title:
                assert event["event"] == "phase_started", event
                return
        raise AssertionError(f"ended before {title!r}: {self.said[-3:]}")

    def until_event(self, kind: str) -> None:
        """Returns as soon as one of this kind comes."""
        assert any(event["event"] == kind for event in self.events()), f"ended without {kind}"

    def outlasts(self, seconds: float) -> None:
        """Returns once it has told something for longer than this."""
        begun = time.monotonic()
        assert any(time.monotonic() - begun > seconds for _ in self.events()), f"ended within {seconds:g} s"

    def send(self, number: signal.Signals) -> float:
        """The seconds from this signal to the end of the process."""
        with Stopwatch() as watch:
            self.process.send_signal(number)
            self.process.wait(LIMIT)
        return watch.seconds

    def hurry(self) -> float:
        """Ctrl-C once, and once more as soon as that cannot be an echo of the first; the seconds to the end."""
        with Stopwatch() as watch:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_ECHO)
            assert self.process.poll() is None, "the first one was no undo"
            self.send(signal.SIGINT)
        return watch.seconds

    def finish(self) -> int:
        """Waits for its own end; the exit code."""
        for _ in self.events():
            pass
        return self.process.wait(LIMIT)

    def rest(self) -> list[str]:
        """What it said last that is no event: a program that breaks says why."""
        found = []
        while (line := self._lines.get(timeout=LIMIT)) is not None:
            found.append(line)
        return [line for line in found if not line.startswith("{")][-20:]

    def lines(self) -> list[str]:
        """What it told a person about hosts."""
        return [event["line"] for event in self.said if event["event"] == "host_said"]

    def events(self) -> Iterator[dict[str, Any]]:
        """Those that come from now on."""
        while (line := self._lines.get(timeout=LIMIT)) is not None:
            if line.startswith("{"):
                self.said.append(json.loads(line))
                yield self.said[-1]


@contextmanager
def running(operator: Operator, verb: str, inventory: Path, **more: str) -> Iterator[Running]:
    """Begun in a terminal of its own; whatever is left of the process in the end is killed."""
    with operator.start(verb, inventory, "--output", "json", **more) as process:
        one = Running(process)
        reader = threading.Thread(target=one.read, daemon=True)
        reader.start()
        try:
            yield one
        finally:
            process.kill()
            process.wait(LIMIT)
            reader.join(LIMIT)


def interrupt(operator: Operator, hosts: Hosts, title: str) -> None:
    """Ctrl-C as soon as this phase of `up` has begun."""
    with running(operator, "up", hosts.inventory) as run:
        run.until_phase(title)
        assert run.send(signal.SIGINT) < SOON, title
        assert run.process.returncode == 130, (title, run.process.returncode, run.rest())
