"""The logs of the units and their ranks on a host: the last lines, and the next lines as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from cluster.command import Command, Probe, Result, json_lines, program
from cluster.errors import CommandFailed, HostError, Unreachable
from cluster.inventory import Inventory
from cluster.launch.unit import folder_name
from cluster.transport.conversation import Conversation
from cluster.transport.host import Host
from cluster.values import LogLine, TakenFolder
from cluster.values.base import Fact, shaped

Kind = Literal["ray", "vllm", "ranks"]

#: Patterns below the cluster's folder on a host, and the name that is shown for a file; empty: its own name.
_FILES: dict[Kind, tuple[tuple[str, str], ...]] = {
    "ray": (("ray/log", "ray"),),
    "vllm": (("vllm/log", "vllm"),),
    # Ranks are actors of Ray, which gives each of its processes two files. vLLM's log holds only the part that Ray
    # passes on. Without Ray, ranks write to vLLM's log themselves.
    "ranks": (
        ("ray/session_latest/logs/worker-*.out", ""),
        ("ray/session_latest/logs/worker-*.err", ""),
        ("nccl.*.log", ""),
    ),
}

#: Seconds, longer than any session. A follower ends when the connection closes or the heartbeat stops.
_FOLLOWING = 7 * 86400.0
_SILENCE = 60.0
_BEAT = 10.0
#: Bytes of output of a host, and bytes for each requested line: there are several files, and some lines are long.
_MOST, _LINE = 8 << 20, 16 << 10
#: Seconds in which a request to end may stay unnoticed.
_ATTENTION = 0.2


class Taken(Fact):
    """The obstacle at the folder that the user `uid` has on a host."""

    uid: int
    taken: TakenFolder


#: The number of files, the obstacle in their way, or a line.
Message = int | Taken | LogLine


@dataclass(frozen=True)
class Logs:
    """The last lines of the files on a host; `files` is their number."""

    files: int
    lines: tuple[LogLine, ...]
    taken: Taken | None = None


def tail(inventory: Inventory, host: str, kinds: Sequence[Kind], lines: int) -> Probe[Logs]:
    """Reads the last `lines` lines of each file."""
    return Probe(_program(inventory, host, kinds, lines, follow=False), _logs)


def following(inventory: Inventory, host: str, kinds: Sequence[Kind], lines: int) -> Command:
    """Reads the last lines, and the lines after them, until its stdin ends."""
    return _program(inventory, host, kinds, lines, follow=True)


def follow(host: Host, command: Command, receive: Callable[[Message], None], done: threading.Event) -> None:
    """Passes to `receive` the number of files or the obstacle, then each line, until `done`.

    Raises HostError when it ends before.
    """
    with Conversation(host.open(command)) as conversation:
        conversation.keep_alive(_BEAT)
        for line in conversation.lines(_ATTENTION, done.is_set):
            for message in _messages(line or ""):
                receive(message)
        if conversation.ended:
            raise _ended(host, command, conversation.result())


def _ended(host: Host, command: Command, result: Result) -> HostError:
    if result.status < 0:
        cause = "the connection broke"
        return Unreachable(
            host.name, command.title, cause=cause, cure="check that the host is up, then follow the logs again"
        )
    return CommandFailed(host.name, command, result.status, "", result.stderr)


def _program(inventory: Inventory, host: str, kinds: Sequence[Kind], lines: int, follow: bool) -> Command:
    payload = {
        "state": inventory.runtime.state_directory,
        "folder": folder_name(inventory.cluster, host),
        "files": [pair for kind in kinds for pair in _FILES[kind]],
        "lines": lines,
        "follow": follow,
        "silence": _SILENCE,
    }
    title, timeout = ("follow the logs", _FOLLOWING) if follow else ("read the logs", 60.0)
    command = program("diagnosis.tail", payload, title=title, venv=inventory.runtime.venv, timeout=timeout)
    return replace(command, most=most_output(lines))


def most_output(lines: int) -> int:
    """Returns how many bytes a host may say where so many lines of each file are asked for."""
    return _MOST + lines * _LINE


def _logs(output: str) -> Logs:
    """Reads the answer. Raises ValueError where the program did not answer at all."""
    messages = list(_messages(output))
    files = [message for message in messages if isinstance(message, int)]
    if not files:
        raise ValueError("the answer does not hold the number of files")
    taken = next((message for message in messages if isinstance(message, Taken)), None)
    return Logs(files[0], tuple(message for message in messages if isinstance(message, LogLine)), taken)


def _messages(output: str) -> Iterator[Message]:
    """Yields the number of files, the obstacle, and the lines of logs."""
    for row in json_lines(output):
        with suppress(ValueError):
            if "taken" in row:
                yield shaped(Taken, {"uid": row.get("uid"), "taken": row["taken"]})
            yield shaped(int, row["files"]) if "files" in row else shaped(LogLine, row)
