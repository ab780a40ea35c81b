"""An operator's own command on a host, word for word."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import IO

from cluster.command import Command
from cluster.errors import CommandFailed, CommandTimedOut, HostError, TooMuchOutput
from cluster.transport.host import Host
from cluster.views import Executed

#: The words reach the program unchanged: no shell reads them again.
_WITH_VENV = 'PATH="$1/bin:$PATH"; export PATH; shift; exec "$@"'

#: Bytes: an operator may want much output, and has space for it.
_MOST = 1 << 30
#: The rest is stored on our disk until the command has ended. So a host that never stops printing takes no memory.
_IN_MEMORY = 1 << 20
#: A command may exit with this status by itself, long before its limit.
_STATUS_OF_TIMEOUT = 124


def command(words: tuple[str, ...], venv: str, timeout: float) -> Command:
    """Runs these words with the venv's programs first on the PATH, and without a stdin."""
    argv = ("/bin/sh", "-c", _WITH_VENV, "sh", venv, *words)
    return Command(argv, f"run {words[0]}", timeout=timeout, most=_MOST)


def stdout_file() -> IO[str]:
    """Returns a new file for the stdout of a command. Only the beginning of it takes memory."""
    return tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="\n")


def execute(host: Host, command: Command, stdout: IO[str]) -> Executed:
    """Returns how the command ended, without its stdout, which is in the file. Raises no HostError."""
    ended = _ended(host, command, stdout.write, time.monotonic())
    stdout.seek(0)
    if isinstance(ended.problem, TooMuchOutput):
        stdout.truncate()
    return ended


def _ended(host: Host, command: Command, on_text: Callable[[str], object], start: float) -> Executed:
    """Returns the status of the command, without its stdout."""
    try:
        result = host.run(command, on_text)
    except CommandFailed as error:
        return Executed(host.name, error.status, stderr=error.stderr)
    except CommandTimedOut as error:
        if time.monotonic() - start < command.timeout:
            return Executed(host.name, _STATUS_OF_TIMEOUT, stderr=error.stderr)
        return Executed(host.name, None, stderr=error.stderr, problem=CommandTimedOut(host.name, command))
    except HostError as error:
        return Executed(host.name, None, problem=error)
    return Executed(host.name, 0, stderr=result.stderr)
