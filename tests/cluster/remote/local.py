"""This machine as a host, and a channel whose process a test may stop."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from cluster.command import Command, Result
from cluster.errors import Unreachable
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from tests.timing import LIMIT

#: Programs run under the Python of the tests.
VENV = sys.prefix


class LocalChannel:
    """A running command whose stdin stays open."""

    def __init__(self, command: Command) -> None:
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", command.line()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self.send(command.stdin)

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(data)
        except (BrokenPipeError, ValueError):  # the latter where somebody closed it meanwhile
            raise Unreachable("here", "send") from None

    def read_line(self, timeout: float) -> str | None:
        """Returns its next line: our programs write whole lines."""
        assert self.process.stdout
        try:
            if not select.select([self.process.stdout], [], [], timeout)[0]:
                return None
            line = self.process.stdout.readline()
        except ValueError:  # closed meanwhile
            raise EOFError from None
        if not line:
            raise EOFError
        return line.decode()

    def result(self) -> Result:
        return Result(self.process.wait(LIMIT), "", "")

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self.process.stdout.close()


class InEnvironment(LocalTransport):
    """Sets `environ` over the environment of every command that it runs."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._prefix = ("env", *(f"{name}={value}" for name, value in environ.items()))

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        return super().execute(replace(command, argv=(*self._prefix, *command.argv)), on_text)


def here(environ: Mapping[str, str] | None = None) -> Host:
    return Host("here", InEnvironment(environ) if environ else LocalTransport())
