"""What the units and their ranks log on a host: the last lines, and the next ones as they come."""

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

#: Patterns below the cluster's folder on a host, and what a file goes by; empty: by its own name.
_FILES: dict[Kind, tuple[tuple[str, str], ...]] = {
    "ray": (("ray/log", "ray"),),
    "vllm": (("vllm/log", "vllm"),),
    # Ranks are actors of Ray, which gives each of its processes two files; vLLM's log has of them what Ray
    # passes on, which is not all. Without Ray they write to vLLM's log themselves.
    "ranks": (
        ("ray/session_latest/logs/worker-*.out", ""),
        ("ray/session_latest/logs/worker-*.err", ""),
        ("nccl.*.log", ""),
    ),
}

#: Longer than anybody watches; a follower ends when we hang up, or are not heard for so long. Seconds.
_FOLLOWING = 7 * 86400.0
_SILENCE = 60.0
_BEAT = 10.0
#: Bytes that a host may say, and for each line that is asked for: of several files, and some lines are long.
_MOST, _LINE = 8 << 20, 16 << 10
#: How long the wish to end may go unheard, in seconds.
_ATTENTION = 0.2


class Taken(Fact):
    """What is in the way of the folder that we, the user `uid`, have on a host."""

    uid: int
    taken: TakenFolder


#: How many files there are, what is in the way of them, or a line.
Message = int | Taken | LogLine


@dataclass(frozen=True)
class Logs:
    """The last lines of the files on a host; `files` is how many there are."""

    files: int
    lines: tuple[LogLine, ...]
    taken: Taken | None = None


def tail(inventory: Inventory, host: str, kinds: Sequence[Kind], lines: int) -> Probe[Logs]:
    """The last `lines` lines of each file."""
    return Probe(_program(inventory, host, kinds, lines, follow=False), _logs)


def following(inventory: Inventory, host: str, kinds: Sequence[Kind], lines: int) -> Command:
    """Brings the last lines, and what comes after them, until its stdin ends."""
    return _program(inventory, host, kinds, lines, follow=True)


def follow(host: Host, command: Command, receive: Callable[[Message], None], done: threading.Event) -> None:
    """Hands to `receive` how many files there are or what is in the way, then each line, until we are `done`.

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
        return Unreachable(host.name, command.title, cause=cause, cure="follow again once it is up")
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
    """Raises ValueError where the program did not answer at all."""
    messages = list(_messages(output))
    files = [message for message in messages if isinstance(message, int)]
    if not files:
        raise ValueError("it does not say how many files there are")
    taken = next((message for message in messages if isinstance(message, Taken)), None)
    return Logs(files[0], tuple(message for message in messages if isinstance(message, LogLine)), taken)


def _messages(output: str) -> Iterator[Message]:
    """The number of files, what is in the way, and lines of logs."""
    for row in json_lines(output):
        with suppress(ValueError):
            if "taken" in row:
                yield shaped(Taken, {"uid": row.get("uid"), "taken": row["taken"]})
            yield shaped(int, row["files"]) if "files" in row else shaped(LogLine, row)
