"""An operator's own command on a host, word for word."""

from __future__ import annotations

import time

from cluster.command import Command
from cluster.errors import CommandFailed, CommandTimedOut, HostError
from cluster.transport.host import Host
from cluster.views import Executed

#: The words reach the program as they are: nothing here is for a shell to read again.
_WITH_VENV = 'PATH="$1/bin:$PATH"; export PATH; shift; exec "$@"'

#: Bytes: an operator may want to see much, and has room for it.
_MOST = 1 << 30
#: A command may exit with it as well, long before its limit.
_STATUS_OF_TIMEOUT = 124


def command(words: tuple[str, ...], venv: str, timeout: float) -> Command:
    """Runs these words with the venv's programs before all others, and without a stdin."""
    argv = ("/bin/sh", "-c", _WITH_VENV, "sh", venv, *words)
    return Command(argv, f"run {words[0]}", timeout=timeout, most=_MOST)


def execute(host: Host, command: Command) -> Executed:
    """Returns how the command ended, with all its output until then; raises no HostError."""
    start, texts = time.monotonic(), list[str]()
    try:
        result = host.run(command, texts.append)
    except CommandFailed as error:
        return Executed(host.name, error.status, "".join(texts), error.stderr)
    except CommandTimedOut as error:
        if time.monotonic() - start < command.timeout:
            return Executed(host.name, _STATUS_OF_TIMEOUT, "".join(texts), error.stderr)
        problem = CommandTimedOut(host.name, command)
        return Executed(host.name, None, "".join(texts), error.stderr, problem)
    except HostError as error:
        return Executed(host.name, None, "".join(texts), problem=error)
    return Executed(host.name, 0, "".join(texts), result.stderr)
