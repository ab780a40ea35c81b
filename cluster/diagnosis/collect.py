"""What the hosts know about a start that failed, brought in one round trip and in bounded time."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from cluster.command import Command, json_lines, program, remote_source
from cluster.errors import HostError
from cluster.inventory import SECRET_NAMES, Inventory
from cluster.launch.unit import folder_name
from cluster.transport.host import Host
from cluster.values.base import Fact

#: What the kernel says of processes that it killed for want of memory, of GPUs, and of InfiniBand.
KERNEL = r"(?i)out of memory|oom-kill|killed process|NVRM|Xid|nvidia|mlx5|segfault|general protection|I/O error"

#: Seconds, without end for our purposes.
_EVER = 10 * 365 * 86400.0

#: Bytes of all lines of a host: packed texts are smaller than the texts, unless nobody could read them.
_PACKED = 12 << 20

_LONGEST_NAME = 300
#: A part of the name of a file: what Ray, vLLM and we call ours.
_PART = re.compile(r"[\w@+=,-][\w.@+=,-]*", re.ASCII)


@dataclass(frozen=True)
class Files:
    """Files below the cluster's folder on a host: `head` and `tail` are bytes of each; those that nobody has
    written to `within` so many seconds are left out."""

    pattern: str
    head: int = 64 << 10
    tail: int = 256 << 10
    within: float = _EVER


@dataclass(frozen=True)
class CollectRequest:
    """What to bring. `ray_state`: of the head, what its Ray knows; `seconds` and `most` (bytes) bound it all."""

    files: Sequence[Files]
    processes: bool = False
    versions: bool = False
    kernel: str = KERNEL
    kernel_within: float = _EVER
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ray_state: dict[str, Any] | None = None
    seconds: float = 5.0
    most: int = 8 << 20

    def asks_for(self, name: str) -> bool:
        """Whether a host may bring a text of this name."""
        return name in self._of_programs or any(_fits(name, files.pattern) for files in self.files)

    @property
    def _of_programs(self) -> set[str]:
        """Texts that are no files there."""
        processes = ("processes.json", "connections.json", "gpus.json") if self.processes else ()
        kernel, versions = ("kernel.log",) if self.kernel else (), ("versions.txt",) if self.versions else ()
        return {*self.commands, *processes, *kernel, *versions, *(("ray_state.json",) if self.ray_state else ())}


def _fits(name: str, pattern: str) -> bool:
    """Whether the name of a file matches, part by part: a `*` reaches into no folder."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


class _Text(Fact):
    """A line with a text: UTF-8, packed with zlib, in base64."""

    name: str
    packed: str


class _LeftOut(Fact):
    """The last line: what there was no time or no room for."""

    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Collected:
    """Texts by name; `left_out` are names, `problem` says why there may be less than was request."""

    host: str
    texts: dict[str, str]
    left_out: tuple[str, ...] = ()
    problem: HostError | None = None


def collect(host: Host, inventory: Inventory, request: CollectRequest) -> Collected:
    """Never raises a HostError: what came until it went wrong is kept."""
    # Its program says ASCII alone; any other character that comes from there could take four bytes here.
    output = bytearray()
    command = _command(inventory, host.name, request)
    problem: HostError | None = None
    try:
        host.run(command, lambda text: output.extend(text.encode("ascii", "replace")))
    except HostError as error:
        problem = error
    return collected(host.name, output.decode("ascii"), problem, request)


def collected(
    host: str, output: str, problem: HostError | None = None, request: CollectRequest | None = None
) -> Collected:
    """Reads the output of the program: of what was asked for, where the `request` is known, as much as was."""
    texts, left_out, room = dict[str, str](), list[str](), (request or CollectRequest(())).most
    for message in _messages(output):
        match message:
            case _LeftOut():
                left_out += (name for name in message.left_out if _is_asked(name, request))
            case _Text() if _is_asked(message.name, request):
                text = _unpacked(message.packed, room)
                room -= len(text or b"")
                if text is None:
                    left_out.append(message.name)
                else:
                    texts[message.name] = text.decode(errors="replace")
    return Collected(host, texts, tuple(left_out), problem)


def _messages(output: str) -> Iterator[_Text | _LeftOut]:
    """Passes over a line that was cut off, and a greeting."""
    for row in json_lines(output):
        with suppress(ValueError):
            yield _LeftOut.model_validate(row) if "left_out" in row else _Text.model_validate(row)


def _is_asked(name: str, request: CollectRequest | None) -> bool:
    """Whether it is the name of a file below a folder of ours, and one that was asked for."""
    is_name = len(name) <= _LONGEST_NAME and all(_PART.fullmatch(part) for part in name.split("/"))
    return is_name and (request is None or request.asks_for(name))


def _unpacked(packed: str, most: int) -> bytes | None:
    """Returns None where there are more than `most` bytes, or none that can be unpacked."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(base64.b64decode(packed), most + 1)
        return text if unpacker.eof and len(text) <= most else None
    except (ValueError, zlib.error):
        return None


def _command(inventory: Inventory, host: str, request: CollectRequest) -> Command:
    payload = {
        "state": inventory.runtime.state_directory,
        "folder": folder_name(inventory.cluster, host),
        "files": [asdict(files) for files in request.files],
        "commands": request.commands,
        "processes": request.processes,
        "versions": request.versions,
        "kernel": request.kernel,
        "kernel_within": request.kernel_within,
        "ray_state": {"program": remote_source("diagnosis.ray_state"), "data": request.ray_state}
        if request.ray_state
        else None,
        "secret_names": SECRET_NAMES,
        "seconds": request.seconds,
        "most": request.most,
    }
    # Beyond its own time it has something to pack still, and a hung disk is no reason to wait.
    timeout = request.seconds + 3
    title = "collect what it says"
    command = program("diagnosis.collect", payload, title=title, venv=inventory.runtime.venv, timeout=timeout)
    # Its output is packed: nobody can read it, nor take secrets out of it.
    return replace(command, secret=True, most=_PACKED)
