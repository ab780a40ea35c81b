"""An operator's own command on a host, word for word."""

from __future__ import annotations

import time

from cluster.command import Command
from cluster.errors import CommandFailed, CommandTimedOut, HostError
from cluster.transport.host import Host
from cluster.views import Executed

#: The words reach the program as they are: nothing here is for a shell to read again.
_WITH_VENV = 'PATH="$1/bin:$PATH"; export PATH; shift; exec "$@"'

#: A command may exit with it as well, long before its limit.
_STATUS_OF_TIMEOUT = 124


def command(words: tuple[str, ...], venv: str, timeout: float) -> Command:
    """Runs these words with the venv's programs before all others, and without a stdin."""
    return Command(("/bin/sh", "-c", _WITH_VENV, "sh", venv, *words), f"run {words[0]}", timeout=timeout)


def execute(host: Host, command: Command) -> Executed:
    """Returns how the command ended, with all its output until then; raises no HostError."""
    start, lines = time.monotonic(), list[str]()
    try:
        result = host.run(command, lines.append)
    except CommandFailed as error:
        return Executed(host.name, error.status, error.stdout, error.stderr)
    except CommandTimedOut as error:
        # It has the text of stderr, or else of stdout: the lines that came tell which it is.
        stdout = _text(lines)
        stderr = "" if error.output == stdout.strip() else f"{error.output}\n"
        if time.monotonic() - start < command.timeout:
            return Executed(host.name, _STATUS_OF_TIMEOUT, stdout, stderr)
        return Executed(host.name, None, stdout, stderr, CommandTimedOut(host.name, command))
    except HostError as error:
        return Executed(host.name, None, _text(lines), problem=error)
    return Executed(host.name, 0, result.stdout, result.stderr)


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
