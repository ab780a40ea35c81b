"""What is in the machine, and who holds it: the stand-in for the driver.

Without json, pathlib and typing, whose imports would be most of the run time of a program that everybody polls.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATE = "/etc/sandbox/gpus.json"
_PREFIX = "/dev/nvidia"


#: By these names as well, JSON is an expression of Python.
_JSON = {"true": True, "false": False, "null": None}


class Process:
    def __init__(self, pid: int, name: str) -> None:
        self.pid, self.name = pid, name


class Gpu:
    def __init__(self, facts: dict[str, Any], holders: list[Process]) -> None:
        self.minor: int = facts["index"]
        self.facts, self.holders = facts, holders

    @property
    def uuid(self) -> str:
        return str(self.facts["uuid"])


class Machine:
    """`refused`: fields that a driver of this age does not know. `pid_offset`: the driver gives the pids of a
    machine below, as one that knows nothing of containers does."""

    def __init__(self, state: dict[str, Any], gpus: list[Gpu]) -> None:
        self.gpus = gpus
        self.driver_version: str = state["driver_version"]
        self.mib_per_process: int = state["mib_per_process"]
        self.refused: tuple[str, ...] = tuple(state.get("refused", ()))
        self.pid_offset: int = state.get("pid_offset", 0)

    def used_mib(self, gpu: Gpu) -> int:
        used = int(gpu.facts.get("used_mib", 0)) + self.mib_per_process * len(gpu.holders)
        return min(used, self.total_mib(gpu))

    def total_mib(self, gpu: Gpu) -> int:
        return int(gpu.facts["memory_mib"])


def machine() -> Machine:
    with open(STATE) as file:
        state = eval(file.read(), _JSON)
    holders = _holders()
    return Machine(state, [Gpu(gpu, holders.get(gpu["index"], [])) for gpu in state["gpus"]])


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
