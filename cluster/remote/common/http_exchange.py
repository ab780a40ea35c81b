"""One request over HTTP and its answer, within one time limit and one size limit, from any server."""

import http.client
import io
import json
import socket
import time
import urllib.parse
from typing import Any

#: Bytes of an answer, including its headers. A page of metrics of many engines has some hundred KiB.
LONGEST_ANSWER = 4 << 20
PIECE = 1 << 16


class BoundedReader(io.RawIOBase):
    """Reads from a socket: all reads share the time until `end`, and one size."""

    def __init__(self, connected: socket.socket, end: float) -> None:
        self.connected = connected
        self.end = end
        self.left = LONGEST_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        hurry(self.connected, self.end)
        size = self.connected.recv_into(buffer)
        self.left -= size
        if self.left < 0:
            raise OSError(f"the answer is larger than {LONGEST_ANSWER >> 20} MiB")
        return size


class BoundedSocket:
    """Stands for a socket in http.client, which closes its socket before it has read all. The caller closes the
    real one."""

    def __init__(self, connected: socket.socket, end: float) -> None:
        self.connected = connected
        self.end = end

    def makefile(self, *_: Any) -> Any:
        return io.BufferedReader(BoundedReader(self.connected, self.end))

    def sendall(self, data: bytes) -> None:
        hurry(self.connected, self.end)
        self.connected.sendall(data)

    def close(self) -> None:
        """Does nothing: the caller closes the socket."""


def hurry(connected: socket.socket, end: float) -> None:
    """Sets the rest of the time. Raises OSError where it is over."""
    left = end - time.monotonic()
    if left <= 0:
        raise OSError("timed out")
    connected.settimeout(left)


def http_exchange(url: str, body: Any, key: str, seconds: float) -> tuple[int, str]:
    """Returns the status and the text of the answer; without an answer 0 and the reason. `body` is posted as JSON
    unless None.

    A redirect is an answer like any other: following it would send the key elsewhere.
    """
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    method, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
    try:
        return exchanged(urllib.parse.urlsplit(url), method, data, headers, seconds)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(error) or type(error).__name__


def exchanged(
    url: urllib.parse.SplitResult, method: str, data: "bytes | None", headers: "dict[str, str]", seconds: float
) -> tuple[int, str]:
    end = time.monotonic() + seconds
    with socket.create_connection((url.hostname or "", url.port or 80), seconds) as connected:
        connection: Any = http.client.HTTPConnection(url.hostname or "", url.port or 80)
        connection.sock = BoundedSocket(connected, end)
        connection.request(method, url._replace(scheme="", netloc="").geturl(), data, headers)
        answer = connection.getresponse()
        # In one read it would reserve the memory that the other end announces.
        text = b"".join(iter(lambda: answer.read(PIECE), b""))
        if answer.length:
            raise http.client.IncompleteRead(text, answer.length)
        return answer.status, text.decode(errors="replace")
