"""What the units and their ranks have said on a host: the last lines, and the next ones as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from cluster.command import Command, Probe, json_lines, program
from cluster.errors import CommandFailed, HostError, Unreachable
from cluster.inventory import Inventory
from cluster.launch.unit import folder_name
from cluster.transport.host import Channel, Host
from cluster.values import LogLine

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
#: How long the wish to end may go unheard, in seconds.
_ATTENTION = 0.2


@dataclass(frozen=True)
class Logs:
    """The last lines of the files on a host; `files` is how many there are."""

    files: int
    lines: tuple[LogLine, ...]


def tail(inventory: Inventory, host: str, kinds: Sequence[Kind], lines: int) -> Probe[Logs]:
    """The last `lines` lines of each file."""
    return Probe(_program(inventory, host, kinds, lines, follow=False), _logs)


def following(inventory: Inventory, host: str, kinds: Sequence[Kind], lines: int) -> Command:
    """The same, and what comes after it, until its stdin ends."""
    return _program(inventory, host, kinds, lines, follow=True)


def follow(host: Host, command: Command, heard: Callable[[int | LogLine], None], done: threading.Event) -> None:
    """Tells `heard` how many files there are, then each line as it comes, until we are `done`.

    Raises HostError when it ends before.
    """
    channel, ended = host.open(command), threading.Event()
    threading.Thread(target=_beat, args=(channel, ended), daemon=True).start()
    try:
        while not done.is_set():
            for one in _understood(channel.read_line(_ATTENTION) or ""):
                heard(one)
    except EOFError:
        result = channel.result()
        if result.status < 0:
            cause = "the connection broke"
            raise Unreachable(host.name, command.title, cause=cause, cure="follow again once it is up") from None
        raise CommandFailed(host.name, command, result.status, "", result.stderr) from None
    finally:
        ended.set()
        channel.close()


def _beat(channel: Channel, ended: threading.Event) -> None:
    """In a thread of its own: whoever hears the lines may take their time, in a pager for instance."""
    with suppress(HostError):
        while not ended.wait(_BEAT):
            channel.send(b"\n")


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
    return program("diagnosis.tail", payload, title=title, venv=inventory.runtime.venv, timeout=timeout)


def _logs(said: str) -> Logs:
    """Raises ValueError where the program did not speak at all."""
    heard = list(_understood(said))
    files = [one for one in heard if isinstance(one, int)]
    if not files:
        raise ValueError("it does not say how many files there are")
    return Logs(files[0], tuple(one for one in heard if isinstance(one, LogLine)))


def _understood(said: str) -> Iterator[int | LogLine]:
    for one in json_lines(said):
        if {"source", "text"} <= set(one):
            yield LogLine(one["source"], one["text"])
        elif "files" in one:
            yield int(one["files"])
