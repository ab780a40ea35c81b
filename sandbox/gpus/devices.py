"""What is in the machine, and who holds it: the stand-in for the driver.

Without pathlib, whose import would be a third of the run time of a program that everybody polls.
"""

import json
import os
from typing import Any, NamedTuple

STATE = "/etc/sandbox/gpus.json"
_PREFIX = "/dev/nvidia"


class Process(NamedTuple):
    pid: int
    name: str


class Gpu(NamedTuple):
    minor: int
    facts: dict[str, Any]
    holders: tuple[Process, ...]

    @property
    def uuid(self) -> str:
        return str(self.facts["uuid"])


class Machine(NamedTuple):
    """`refused`: fields that a driver of this age does not know. `pid_offset`: the driver gives the pids of a
    machine below, as one that knows nothing of containers does."""

    driver_version: str
    mib_per_process: int
    gpus: tuple[Gpu, ...]
    refused: tuple[str, ...] = ()
    pid_offset: int = 0

    def used_mib(self, gpu: Gpu) -> int:
        used = int(gpu.facts.get("used_mib", 0)) + self.mib_per_process * len(gpu.holders)
        return min(used, self.total_mib(gpu))

    def total_mib(self, gpu: Gpu) -> int:
        return int(gpu.facts["memory_mib"])


def machine() -> Machine:
    with open(STATE) as file:
        state = json.load(file)
    holders = _holders()
    gpus = tuple(Gpu(gpu["index"], gpu, tuple(holders.get(gpu["index"], ()))) for gpu in state["gpus"])
    refused, offset = tuple(state.get("refused", ())), state.get("pid_offset", 0)
    return Machine(state["driver_version"], state["mib_per_process"], gpus, refused, offset)


def _holders() -> dict[int, list[Process]]:
    found: dict[int, list[Process]] = {}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        for index in _held_by(pid):
            found.setdefault(index, []).append(Process(pid, _name(pid)))
    return found


def _held_by(pid: int) -> set[int]:
    folder = f"/proc/{pid}/fd"
    try:
        targets = [_target(f"{folder}/{number}") for number in os.listdir(folder)]
    except OSError:  # it ended in between
        return set()
    numbers = [target.removeprefix(_PREFIX) for target in targets if target.startswith(_PREFIX)]
    return {int(number) for number in numbers if number.isdecimal()}


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[0].decode(errors="replace")
    except OSError:
        return "[Not Found]"
