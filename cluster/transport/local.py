"""The transport to this machine: the same programs, without SSH."""

from __future__ import annotations

import os
import select
import selectors
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress

from cluster.command import Command, Result
from cluster.errors import TooMuchOutput, Unreachable

_CHUNK = 1 << 16
#: Bytes of a line; a longer line comes in pieces.
_LONGEST_LINE = 1 << 20
_NAME = "this machine"
#: Seconds for a program to exit once its stdin has ended.
_CLOSE_TIMEOUT = 10.0


class LocalChannel:
    """A running command with an open stdin."""

    def __init__(self, command: Command) -> None:
        self._title = command.title
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the channel)
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command.line()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,
        )
        self._buffer = b""
        self._reading = threading.Lock()
        self.send(command.stdin)

    def send(self, data: bytes) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(data)
        except (BrokenPipeError, ValueError):
            raise Unreachable(_NAME, self._title, cause="the command has exited") from None

    def read_line(self, timeout: float) -> str | None:
        while b"\n" not in self._buffer and len(self._buffer) < _LONGEST_LINE:
            block = self._read(timeout)
            if block is None:
                return None
            if not block:
                raise EOFError
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    def _read(self, timeout: float) -> bytes | None:
        """Returns the next bytes; None where none came within `timeout` seconds, empty after the close.

        Another thread may close meanwhile: the stream stays open for as long as it is read here.
        """
        assert self._process.stdout
        with self._reading:
            if self._process.stdout.closed:
                return b""
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                return None
            return self._process.stdout.read(_CHUNK)

    def result(self) -> Result:
        status = self._process.wait()
        self._stderr.seek(max(self._stderr.seek(0, os.SEEK_END) - _LONGEST_LINE, 0))
        return Result(status, "", self._stderr.read().decode(errors="replace"))

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(_CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._reading:
            self._process.stdout.close()
        self._stderr.close()


class LocalTransport:
    """Runs commands in a shell, as sshd does, and in a session of their own: Ctrl-C is only for this program."""

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        with subprocess.Popen(
            ["/bin/sh", "-c", command.line()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                threading.Thread(target=_feed, args=(process, command.stdin), daemon=True).start()
                stdout, stderr = _read_to_end(process, command)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if on_text:
            on_text(stdout)
        return Result(process.returncode, stdout, stderr)

    def open(self, command: Command) -> LocalChannel:
        return LocalChannel(command)

    def close(self) -> None:
        """Does nothing: no connection is open."""


def _feed(process: subprocess.Popen[bytes], stdin: bytes) -> None:
    assert process.stdin
    with suppress(OSError), process.stdin:
        process.stdin.write(stdin)


def _read_to_end(process: subprocess.Popen[bytes], command: Command) -> tuple[str, str]:
    """Returns both outputs. Raises TooMuchOutput."""
    assert process.stdout
    assert process.stderr
    outputs = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        for file in outputs:
            selector.register(file, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                block = os.read(key.fd, _CHUNK)
                if not block:
                    selector.unregister(key.fd)
                outputs[key.fd] += block
            if sum(map(len, outputs.values())) > command.most:
                raise TooMuchOutput(_NAME, command)
    stdout, stderr = (output.decode(errors="replace") for output in outputs.values())
    return stdout, stderr
