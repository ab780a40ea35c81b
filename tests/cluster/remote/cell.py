"""Units that run for real below a temporary folder, and are gone after the test, whatever happened."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cluster.command import Command, last_json
from cluster.launch import unit
from cluster.launch.unit import Name, Unit, UnitStatus
from cluster.remote.common.processes import process, processes
from cluster.values import Launcher
from tests.cluster.builders import inventory
from tests.cluster.remote.local import VENV, here
from tests.cluster.remote.parts import part
from tests.timing import eventually

FOREVER = ("sleep", "600")
HOST = here()
PARTS = part("common.unit_state")

#: Says that it is ready only once it hears SIGTERM and answers it as told.
_HEARING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, {answer})
print("ready", os.getpid(), flush=True)
while True:
    time.sleep(600)
"""


def deaf() -> tuple[str, ...]:
    """A program that ignores SIGTERM."""
    return (sys.executable, "-c", _HEARING.format(answer="signal.SIG_IGN"))


def polite(status: int) -> tuple[str, ...]:
    """A program that ends with `status` on SIGTERM."""
    return (
        sys.executable,
        "-c",
        _HEARING.format(answer=f"lambda *_: (print('heard', flush=True), os._exit({status}))"),
    )


def without_disk(command: Command) -> Command:
    """The same where no file can be written, as on a full disk."""
    return dataclasses.replace(command, argv=("/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command.argv))


def after(text: str, command: Command) -> Command:
    """The same program on a host that is as the lines of `text` make it: they run first."""
    lines = text.encode() + b"\n"
    argv = tuple(str(int(word) + len(lines)) if word.isdigit() else word for word in command.argv)
    return dataclasses.replace(command, argv=argv, stdin=lines + command.stdin)


class Cell:
    """The folder of one cluster on this machine."""

    def __init__(self, folder: Path) -> None:
        self.state = str(folder / "o-0" / "0123abcd")

    def unit(self, argv: Iterable[str], name: Name = "vllm", **more: Any) -> Unit:
        values: dict[str, Any] = {"cluster": "demo", "host": "here", "env": (), **more}
        return Unit(name=name, state=self.state, argv=tuple(argv), **values)

    def launch(
        self, argv: Iterable[str], name: Name = "vllm", by: Launcher | None = None, run: str = "", **more: Any
    ) -> Unit:
        one = self.unit(argv, name, **more)
        HOST.run(unit.launch(one, VENV, by, run))
        return one

    def folder(self, name: Name = "vllm") -> Path:
        return Path(self.state) / name

    def record(self, name: Name = "vllm") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder(name) / "record.json").read_text())
        return found

    def log(self, name: Name = "vllm") -> str:
        return (self.folder(name) / "log").read_text()

    def says(self, words: str, name: Name = "vllm") -> None:
        """Waits until its log holds `words`."""
        eventually(lambda: words in self.log(name))

    def look(self, name: Name = "vllm", offset: int = 0, health: str = "") -> UnitStatus:
        return HOST.ask(unit.status(name, self.state, VENV, offset, health))

    def pids(self, name: Name = "vllm") -> set[int]:
        pids: set[int] = PARTS.unit_pids(self.opened(name), processes())
        return pids

    def opened(self, name: Name = "vllm") -> Any:
        """Its folder, as programs on a host open it."""
        return PARTS.unit_folder(str(self.folder(name)))

    def stop(self, name: Name = "vllm", patience: float = 10.0) -> list[dict[str, Any]]:
        """What is left, after at most `patience` for SIGTERM."""
        left: list[dict[str, Any]] = last_json(HOST.run(self.stopping(name, patience)).stdout)["left"]
        return left

    def stopping(self, name: Name = "vllm", patience: float = 10.0) -> Command:
        command = unit.stop(name, inventory().head, self.state, VENV).command
        *source, data = command.stdin.splitlines(keepends=True)
        patient = json.dumps({**json.loads(data), "patience": patience}).encode() + b"\n"
        return dataclasses.replace(command, stdin=b"".join(source) + patient)

    def clean(self) -> None:
        names: tuple[Name, ...] = ("ray", "vllm")
        for name in names:
            kill(self.pids(name) | set(PARTS.writers(self.opened(name))))


def kill(pids: Iterable[int]) -> None:
    """Kills them and waits until they are gone; collects those that have become ours."""
    pids = set(pids)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not pids & processes().keys())


def collect() -> None:
    """Orphans come to us (see conftest): those that have ended need somebody to ask for their status."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        one = process(int(name))
        if one and one.parent == os.getpid() and one.state == "Z":
            with suppress(ChildProcessError):
                os.waitpid(one.pid, os.WNOHANG)
