"""What to run on a host, as data."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Reads a program of known length from stdin and leaves the rest of stdin to it. Neither the program nor its data
#: is ever in an argument list: the data may hold secrets.
_BOOTSTRAP = "import sys; exec(compile(sys.stdin.buffer.read(int(sys.argv[1])), sys.argv[2], 'exec'))"

#: A module of `cluster/remote` names the modules that it needs by its imports. Only type checkers execute them.
_IMPORTED = re.compile(r"^    from cluster\.remote\.([\w.]+) import ", re.MULTILINE)

#: Maybe one half of a character that JSON writes in two halves: alone it cannot be encoded.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")

#: Selects the venv's Python where it exists, and the host's own otherwise. A host without the venv can still be
#: observed and taken down.
_VENV_OR_HOST_PYTHON = 'test -x "$1" && p=$1 || p=python3; shift; exec "$p" "$@"'


@dataclass(frozen=True)
class Hint:
    """A cause that the output of a failed command shows, and its fix.

    `pattern` is a regular expression, searched in the command's stderr and stdout.
    """

    pattern: str
    cause: str
    cure: str

    def fits(self, output: str) -> bool:
        return re.search(self.pattern, output) is not None


@dataclass(frozen=True)
class Command:
    """One command for one host.

    `title` says in the operator's words what the command does ("read the facts"). `kind` tells commands apart: it
    is the name of the program, with the unit where the program serves several ("stop ray"). `timeout` is in
    seconds and is enforced on the host as well.
    Secrets travel on `stdin` alone, which is never shown. `secret` means that the output on stdout is a secret as
    well.
    `most` limits the output, in bytes: beyond it the connection is closed.
    """

    argv: tuple[str, ...]
    title: str
    stdin: bytes = b""
    timeout: float = 30.0
    hints: tuple[Hint, ...] = ()
    secret: bool = False
    kind: str = "execute"
    most: int = 4 << 20

    def line(self) -> str:
        """Returns the command quoted for the host's shell, under a time limit that outlives the connection.

        The command is one quoted argument of `sh -c`: the login shell of the user may be fish or csh.
        """
        limited = ("timeout", "-k", "5", str(self.timeout), *self.argv)
        return shlex.join(("/bin/sh", "-c", "exec " + shlex.join(limited)))

    def shown(self) -> str:
        """Returns the command as an operator reads it, cut to about the width of a screen."""
        line = shlex.join(self.argv)
        return line if len(line) <= 160 else line[:157] + "..."


@dataclass(frozen=True)
class Result:
    """The exit status and the output of a command."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Probe(Generic[T]):
    """A command and the pure function that parses its output (raises `ValueError`)."""

    command: Command
    parse: Callable[[str], T]


def program(
    name: str,
    payload: dict[str, Any],
    *,
    title: str,
    venv: str,
    timeout: float = 30.0,
    hints: tuple[Hint, ...] = (),
    unit: str = "",
) -> Command:
    """Returns the command that runs the program `name` of `cluster/remote`, behind the parts that it imports.

    It runs under the venv's Python, or under the host's own where the venv is missing. It is isolated from the
    user's own modules. It reads its source and then `payload` as JSON from stdin. So it needs one round trip and
    leaves no file.
    `unit` names the unit that the program acts on, where the program serves several.
    """
    source, module = with_parts(name).encode(), name.rpartition(".")[2]
    arguments = ("-I", "-c", _BOOTSTRAP, str(len(source)), module)
    argv = ("/bin/sh", "-c", _VENV_OR_HOST_PYTHON, "sh", f"{venv}/bin/python", *arguments)
    stdin = source + json.dumps(payload).encode() + b"\n"
    return Command(argv, title, stdin, timeout, hints, kind=f"{module} {unit}".rstrip())


@cache
def remote_source(name: str) -> str:
    """Returns the text of the module `cluster.remote.NAME`."""
    folders, _, module = name.rpartition(".")
    return resources.files(f"cluster.remote.{folders}".rstrip(".")).joinpath(f"{module}.py").read_text("utf-8")


def with_parts(name: str) -> str:
    """Returns the text of a program behind all parts of `cluster.remote` that it imports, as a host reads it."""
    return "\n".join(map(remote_source, _in_order(name)))


def _in_order(name: str) -> list[str]:
    """Returns the modules that a program imports, each after the modules that it needs, and the program last."""
    parts = [part for module in _IMPORTED.findall(remote_source(name)) for part in _in_order(module)]
    return [*dict.fromkeys(parts), name]


def last_json(output: str) -> dict[str, Any]:
    """Returns the last JSON object of the output: a user's shell may print a greeting before it runs our command.

    Raises `ValueError` when the output holds no JSON object.
    """
    for line in reversed(output.splitlines()):
        if (last := _json_object(line)) is not None:
            return last
    raise ValueError("the answer holds no JSON")


def json_lines(output: str) -> Iterator[dict[str, Any]]:
    """Yields the JSON objects that stand on a line of their own; every other line is a greeting of the shell."""
    for line in output.splitlines():
        if (message := _json_object(line)) is not None:
            yield message


def _json_object(line: str) -> dict[str, Any] | None:
    """Returns the JSON object, or None for any other line. Every text in it can be encoded."""
    if not line.startswith("{"):
        return None
    try:
        message: dict[str, Any] = json.loads(line)
        if _HALF.search(line):
            encodable = json.dumps(message, ensure_ascii=False).encode(errors="replace")
            message = json.loads(encodable)
        return message
    except (ValueError, RecursionError):
        return None
