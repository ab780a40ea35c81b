"""The evidence of the hosts about a failed start, read in one round trip and in bounded time."""

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

#: Kernel messages about processes killed when memory ran out, about GPUs, and about InfiniBand.
KERNEL = r"(?i)out of memory|oom-kill|killed process|NVRM|Xid|nvidia|mlx5|segfault|general protection|I/O error"

#: Seconds; longer than any launch.
_EVER = 10 * 365 * 86400.0

#: Bytes of all lines of a host. Packed texts are smaller than the texts, except for random data.
_PACKED = 12 << 20

#: Texts of a host that are kept: one with 8 GPUs has some hundred.
_MOST_TEXTS = 4000
_LONGEST_NAME = 300
#: A part of a file name, as Ray, vLLM and the orchestrator use it.
_PART = re.compile(r"[\w@+=,-][\w.@+=,-]*", re.ASCII)


@dataclass(frozen=True)
class Files:
    """Files below the cluster's folder on a host.

    `head` and `tail` are bytes of each. Files without a change in the last `within` seconds are left out.
    """

    pattern: str
    head: int = 64 << 10
    tail: int = 256 << 10
    within: float = _EVER


@dataclass(frozen=True)
class CollectRequest:
    """The texts to bring.

    `ray_state` is only for the head: the state of its Ray. `seconds` and `most` (bytes) limit the whole request.
    """

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
        """Returns whether a host may bring a text of this name."""
        return name in self._of_programs or any(_fits(name, files.pattern) for files in self.files)

    @property
    def _of_programs(self) -> set[str]:
        """Returns the names of texts that are not files on the host."""
        processes = ("processes.json", "connections.json", "gpus.json") if self.processes else ()
        kernel, versions = ("kernel.log",) if self.kernel else (), ("versions.txt",) if self.versions else ()
        return {*self.commands, *processes, *kernel, *versions, *(("ray_state.json",) if self.ray_state else ())}


def _fits(name: str, pattern: str) -> bool:
    """Returns whether a file name matches, part by part: a `*` does not cross a folder."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


class _Text(Fact):
    """A line with a text: UTF-8, packed with zlib, in base64."""

    name: str
    packed: str


class _LeftOut(Fact):
    """The last line: the texts for which there was no time or no space."""

    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Collected:
    """The texts by name.

    `left_out` are names of missing texts. `problem` is the reason why the answer may be incomplete.
    """

    host: str
    texts: dict[str, str]
    left_out: tuple[str, ...] = ()
    problem: HostError | None = None


def collect(host: Host, inventory: Inventory, request: CollectRequest) -> Collected:
    """Collects the texts. Never raises a HostError: all texts that arrived before it are kept."""
    # Its program prints only ASCII; any other character from there could take four bytes here.
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
    """Reads the output of the program. If `request` is given, only texts that were requested count, up to its
    limits."""
    texts, left_out, room = dict[str, str](), list[str](), (request or CollectRequest(())).most
    for message in _messages(output):
        match message:
            case _LeftOut():
                left_out += (name for name in message.left_out if _is_asked(name, request))
            case _Text() if _is_asked(message.name, request):
                text = _unpacked(message.packed, room) if len(texts) < _MOST_TEXTS else None
                room -= len(text or b"")
                if text is None:
                    left_out.append(message.name)
                else:
                    texts[message.name] = text.decode(errors="replace")
    return Collected(host, texts, tuple(left_out), problem)


def _messages(output: str) -> Iterator[_Text | _LeftOut]:
    """Yields the messages; skips incomplete lines and the greeting of a shell."""
    for row in json_lines(output):
        with suppress(ValueError):
            yield _LeftOut.model_validate(row) if "left_out" in row else _Text.model_validate(row)


def _is_asked(name: str, request: CollectRequest | None) -> bool:
    """Returns whether it is the name of a file below our folder, and one of the requested names."""
    is_name = len(name) <= _LONGEST_NAME and all(_PART.fullmatch(part) for part in name.split("/"))
    return is_name and (request is None or request.asks_for(name))


def _unpacked(packed: str, most: int) -> bytes | None:
    """Returns the data, or None where it exceeds `most` bytes or cannot be unpacked."""
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
    # After its own time it still packs the texts. A hung disk is not a reason to wait longer.
    timeout = request.seconds + 3
    title = "collect its logs and state"
    command = program("diagnosis.collect", payload, title=title, venv=inventory.runtime.venv, timeout=timeout)
    # Its output is packed: it cannot be read, and secrets cannot be removed from it.
    return replace(command, secret=True, most=_PACKED)
