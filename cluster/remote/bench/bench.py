"""Runs a benchmark client, counts at the server meanwhile, and sends the results. No file of it stays.

Data:
- state: a folder of the cluster
- argv and env of the client
- result: the file that the client writes
- url: the server's /metrics
- families: our name -> the metric's name
- every and silence, in seconds

Prints JSON lines: `before`, `sampled`, and at the end `after`, `status`, `log`, and `result` in pieces.

It ends with all its processes when its stdin ends, falls silent, or asks for the end. It then prints `gone`.
"""

import base64
import ctypes
import json
import math
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.http_exchange import http_exchange
    from cluster.remote.common.owned_folder import OpenFolder, made, split
    from cluster.remote.common.processes import below, payload, processes
    from cluster.remote.common.remove_tree import remove

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
RESULT_PIECE = 192 << 10
LOG = 100 << 10
#: Seconds for the server to count the last request, after its answer.
SETTLING = 5.0


class Client:
    """The benchmark client, and its folder."""

    def __init__(self, data: dict[str, Any], state: "OpenFolder") -> None:
        self.data = data
        self.begun = time.monotonic()
        self.state = state
        self.folder = state.make(f"bench-{os.getpid()}")
        self.process: subprocess.Popen[bytes] | None = None
        self.ending = threading.Lock()

    def launch(self) -> None:
        """Starts the client. The client ends with this program in every case."""
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        place = f"/proc/self/fd/{self.folder.file}"
        with open(self.folder.create("log"), "wb") as log:
            self.process = subprocess.Popen(
                self.data["argv"], env=environment(self.data), cwd=place, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )  # fmt: skip

    def end(self) -> None:
        """Kills the client with all its processes, and removes its files."""
        with self.ending:
            if self.process:
                kill(self.process)
            list(remove(self.state, self.folder.name))

    def read(self, name: str, last: int = -1) -> bytes:
        """Returns a whole file, or its last bytes."""
        try:
            with open(self.folder.open(name), "rb") as file:
                if last >= 0:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - last))
                return file.read()
        except OSError:
            return b""


def environment(data: dict[str, Any]) -> dict[str, str]:
    """Returns the session's environment with the data's own values over it. The server is never behind a proxy."""
    path = f"{os.path.dirname(data['argv'][0])}:{os.environ.get('PATH') or os.defpath}"
    return {**os.environ, "PATH": path, **data["env"], "no_proxy": "*", "NO_PROXY": "*"}


def kill(leader: "subprocess.Popen[bytes]") -> None:
    """Kills the client: this program is the parent of its orphans, so all its own descendants belong to the
    client."""
    while True:
        left = below(processes(), {os.getpid()}) - {os.getpid()}
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        leader.poll()
        if not left:
            return
        time.sleep(0.02)


def say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def counted(data: dict[str, Any]) -> "dict[str, float | None] | None":
    """Returns each family added up, None for a missing one; returns None where the server does not answer."""
    status, page = http_exchange(data["url"], None, "", 5.0)
    if status != 200:
        return None
    try:
        return {name: total(page, family) for name, family in data["families"].items()}
    except ValueError:
        return None


def total(page: str, family: str) -> "float | None":
    """Returns the total. Raises ValueError where it is infinite or not a number."""
    values = re.findall(rf"^{re.escape(family)}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)
    number = sum(map(float, values))
    if not math.isfinite(number):
        raise ValueError(family)
    return number if values else None


def settled(data: dict[str, Any]) -> "dict[str, float | None] | None":
    """Returns the counters once no request runs and no count changes."""
    end = time.monotonic() + SETTLING
    last = counted(data)
    while time.monotonic() < end:
        time.sleep(0.2)
        now = counted(data)
        if now == last and not (now and now["running"]):
            break
        last = now
    return last


def watch_owner(client: Client) -> None:
    """Watches stdin. It has its own thread: a slow reader of our output may block the main thread for any time."""
    heard = time.monotonic()
    while True:
        if select.select([0], [], [], 0.2)[0]:
            words = os.read(0, 4096)
            if not words or b"end" in words:
                break
            heard = time.monotonic()
        if time.monotonic() - heard > client.data["silence"]:
            break
    client.end()
    try:
        os.write(1, b'{"gone": true}\n')
    finally:
        os._exit(3)


def follow(client: Client) -> int:
    assert client.process
    while True:
        try:
            return client.process.wait(client.data["every"])
        except subprocess.TimeoutExpired:
            now = counted(client.data)
            if now:
                say(sampled={"at": time.monotonic() - client.begun, **now})


def send(client: Client, status: int) -> None:
    say(status=status, seconds=time.monotonic() - client.begun)
    say(log=client.read("log", LOG).decode(errors="replace"))
    packed = base64.b64encode(zlib.compress(client.read(client.data["result"]), 6)).decode()
    for start in range(0, len(packed), RESULT_PIECE):
        say(result=packed[start : start + RESULT_PIECE])


def sweep(state: "OpenFolder") -> None:
    """Removes the folders of earlier runs that were killed: only one run exists at a time."""
    for name in state.names():
        if name.startswith("bench-"):
            list(remove(state, name))


def main() -> None:
    data = payload()
    state = made(*split(data["state"], 2))
    sweep(state)
    client = Client(data, state)
    try:
        say(before=counted(data))
        client.launch()
        threading.Thread(target=watch_owner, args=(client,), daemon=True).start()
        status = follow(client)
        say(after=settled(data))
        send(client, status)
    finally:
        client.end()


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'bench'}: {problem.strerror}")
