"""One command on a channel of an open connection."""

from __future__ import annotations

import codecs
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import paramiko

from cluster.command import Command, Result
from cluster.errors import CommandTimedOut, TooMuchOutput, Unreachable

_CHUNK = 1 << 16
#: Seconds after the host's own limit (and the grace period of `timeout -k`) until the connection is closed here.
_MARGIN = 10.0
#: Seconds for a write.
_SEND_TIMEOUT = 15.0
#: Seconds until a broken connection is noticed.
_DEATH_TIMEOUT = 0.5
#: Bytes of stderr that are kept, of a command that may print more.
_MOST_STDERR = 16 << 20
#: Bytes that are buffered before they are read: a host may send faster than we read.
_MAX_TAKEN = 1 << 18
#: A shell's exit status of a command that SIGKILL ended; SSH has no status for it.
_KILLED = 137
#: Bytes of delivered output that are kept: a command with an open stdin may run for weeks. A longer line is
#: delivered in pieces.
_MAX_KEPT = 1 << 20
_BROKEN = (paramiko.SSHException, OSError, EOFError)


class _DataReady(threading.Event):
    """An event that paramiko sets when either stream has data, and would clear as soon as one is drained."""

    def clear(self) -> None:
        """Does nothing: the reader clears it, by `rearm`."""

    def rearm(self) -> None:
        super().clear()


class SshCommand:
    """A running command. Work that may block on a broken connection runs in a thread of its own."""

    def __init__(self, host: str, command: Command, channel: Any, release: Callable[[], None]) -> None:
        self._host = host
        self._command = command
        self._channel = channel
        self._release: Callable[[], None] | None = release
        self._deadline = time.monotonic() + command.timeout + _MARGIN
        self._out, self._err = bytearray(), bytearray()
        self._size = 0
        self._delivered = 0
        self._endless = False
        self._refused = False
        self._data_ready = _DataReady()
        channel.in_buffer.set_event(self._data_ready)
        channel.in_stderr_buffer.set_event(self._data_ready)

    def start(self, keep_stdin: bool) -> None:
        self._endless = keep_stdin
        self._starter = threading.Thread(target=self._start, args=(keep_stdin,), daemon=True)
        self._starter.start()

    def finish(self, on_text: Callable[[str], object] | None) -> Result:
        """Reads to the end and gives each piece of text to `on_text`."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            more = True
            while more:
                more = self._read(self._deadline)
                if self._size > self._command.most:
                    raise TooMuchOutput(self._host, self._command)
                if len(self._err) > _MOST_STDERR:
                    raise TooMuchOutput(self._host, self._command, _MOST_STDERR)
                if on_text:
                    on_text(decoder.decode(self._undelivered(), final=not more))
                if more and time.monotonic() >= self._deadline:
                    raise self._timed_out()
            return self.result()
        finally:
            self.close()

    def send(self, data: bytes) -> None:
        self._starter.join(_SEND_TIMEOUT)
        try:
            # Between its status and the end of the channel, a write would vanish without an error.
            if self._channel.exit_status_ready():
                raise EOFError
            self._channel.settimeout(_SEND_TIMEOUT)
            self._channel.sendall(data)
        except _BROKEN as error:
            raise self._unreachable("the connection broke, or the command there has exited") from error

    def read_line(self, timeout: float) -> str | None:
        deadline = time.monotonic() + timeout
        line = self._line(at_end=False)
        while line is None:
            late = time.monotonic() >= deadline
            more = self._read(deadline)
            line = self._line(at_end=not more)
            if line is None and not more:
                raise EOFError
            if line is None and late:
                return None
        return line

    def result(self) -> Result:
        """Returns the exit status and the output; of delivered output only the end."""
        if not self._channel.status_event.wait(max(self._deadline - time.monotonic(), 0)):
            raise self._timed_out()
        return Result(self._status(), self._out.decode(errors="replace"), self._err.decode(errors="replace"))

    def close(self) -> None:
        with contextlib.suppress(*_BROKEN):
            self._channel.close()
        release, self._release = self._release, None
        if release:
            release()

    def _start(self, keep_stdin: bool) -> None:
        try:
            self._channel.exec_command(self._command.line())
        except _BROKEN:
            self._refused = True
            return
        try:
            self._channel.sendall(self._command.stdin)
            if not keep_stdin:
                self._channel.shutdown_write()
        except _BROKEN:
            return  # It exited without reading all: its status shows why.

    def _read(self, deadline: float) -> bool:
        """Reads new data, and waits for it until `deadline`; returns False at the end of both streams."""
        self._data_ready.rearm()
        ended = self._channel.eof_received or self._channel.closed
        if not (self._drain() or ended):
            self._data_ready.wait(max(deadline - time.monotonic(), 0))
            self._drain()
        return not ended or self._channel.recv_ready() or self._channel.recv_stderr_ready()

    def _drain(self) -> bool:
        """Reads all that is buffered here; returns whether there was any."""
        before = len(self._out) + len(self._err)
        limit = before + _MAX_TAKEN
        try:
            while self._channel.recv_ready() and len(self._out) + len(self._err) < limit:
                self._out += self._channel.recv(_CHUNK)
            while self._channel.recv_stderr_ready() and len(self._out) + len(self._err) < limit:
                self._err += self._channel.recv_stderr(_CHUNK)
        except _BROKEN as error:
            raise self._unreachable("the connection broke while the command ran") from error
        grown = len(self._out) + len(self._err) - before
        self._size += grown
        if self._endless:
            self._trim()
            del self._err[:-_MAX_KEPT]
        return grown > 0

    def _trim(self) -> None:
        """Drops all delivered output but its end."""
        old = max(min(self._delivered, len(self._out) - _MAX_KEPT), 0)
        del self._out[:old]
        self._delivered -= old

    def _undelivered(self) -> bytes:
        """Returns the output since the last call, and keeps its end."""
        text = bytes(self._out[self._delivered :])
        self._delivered = len(self._out)
        self._trim()
        return text

    def _line(self, at_end: bool) -> str | None:
        """Returns the next undelivered line of stdout; at the end also a line without a newline."""
        end = self._out.find(b"\n", self._delivered)
        waiting = len(self._out) - self._delivered
        if end < 0 and not (at_end and waiting) and not (self._endless and waiting > _MAX_KEPT):
            return None
        line = self._out[self._delivered : end if end >= 0 else len(self._out)]
        self._delivered = end + 1 if end >= 0 else len(self._out)
        return line.decode(errors="replace")

    def _status(self) -> int:
        """Returns the exit status, or -1 when the connection is broken. SSH has no status of a command that a
        signal ended."""
        status: int = self._channel.exit_status
        if status >= 0:
            return status
        transport = self._channel.get_transport()
        transport.join(_DEATH_TIMEOUT)
        self._starter.join(_DEATH_TIMEOUT)
        if transport.is_alive() and self._refused:
            raise self._unreachable("the SSH server refuses to run a command")
        return _KILLED if transport.is_alive() else status

    def _output(self) -> str:
        return (self._err or self._out).decode(errors="replace").strip()

    def _timed_out(self) -> CommandTimedOut:
        stderr = self._err.decode(errors="replace")
        return CommandTimedOut(self._host, self._command, self._output(), stderr=stderr)

    def _unreachable(self, cause: str) -> Unreachable:
        cure = f"check that {self._host} is up"
        return Unreachable(self._host, self._command.title, self._output(), cause=cause, cure=cure)
