"""Runs a benchmark client, counts at the server meanwhile, and sends what it measured: nothing of it stays.

Data: state (a folder of ours), argv, env, result (the file that it writes), url (of the server's /metrics),
families (our name -> the metric's), every and silence (seconds). Says JSON lines: before, sampled, and at the end
after, status, log, and result in pieces. It ends with everything it started as soon as its stdin ends or falls
silent, or says that it shall; then it says gone.
"""

import base64
import ctypes
import glob
import json
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.files import secure_folder
    from cluster.remote.common.http_exchange import http_exchange
    from cluster.remote.common.processes import below, payload, processes

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PIECE = 192 << 10
LOG = 100 << 10
#: Seconds for the server to have counted the last request, after it was answered.
SETTLING = 5.0


class Client:
    """The benchmark client, and the folder that it works in."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.begun = time.monotonic()
        self.folder = tempfile.mkdtemp(prefix="bench-", dir=data["state"])
        self.process: subprocess.Popen[bytes] | None = None
        self.ending = threading.Lock()

    def launch(self) -> None:
        """It dies with us, however we do."""
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                self.data["argv"], env=environment(self.data), cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )  # fmt: skip

    def end(self) -> None:
        """Kills it with all that it started, and removes what it wrote."""
        with self.ending:
            if self.process:
                kill(self.process)
            shutil.rmtree(self.folder, ignore_errors=True)

    def read(self, name: str) -> bytes:
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return file.read()
        except OSError:
            return b""


def environment(data: dict[str, Any]) -> dict[str, str]:
    """The session's own, ours over it. The server is never behind a proxy."""
    path = f"{os.path.dirname(data['argv'][0])}:{os.environ.get('PATH') or os.defpath}"
    return {**os.environ, "PATH": path, **data["env"], "no_proxy": "*", "NO_PROXY": "*"}


def kill(leader: "subprocess.Popen[bytes]") -> None:
    """We are the parent of its orphans: what descends from us is it."""
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
    """Each family added up, None for one that is not there; None for all where the server does not answer."""
    status, page = http_exchange(data["url"], None, "", 5.0)
    if status != 200:
        return None
    try:
        return {name: total(page, family) for name, family in data["families"].items()}
    except ValueError:
        return None


def total(page: str, family: str) -> "float | None":
    """Raises ValueError for what is no number, or without bounds."""
    values = re.findall(rf"^{re.escape(family)}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)
    number = sum(map(float, values))
    if not math.isfinite(number):
        raise ValueError(family)
    return number if values else None


def settled(data: dict[str, Any]) -> "dict[str, float | None] | None":
    """The counters once nothing is under way any more and no count moves."""
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
    """In a thread of its own: whoever reads what we say may keep us waiting for as long as they like."""
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
    say(log=client.read("log")[-LOG:].decode(errors="replace"))
    packed = base64.b64encode(zlib.compress(client.read(client.data["result"]), 6)).decode()
    for start in range(0, len(packed), PIECE):
        say(result=packed[start : start + PIECE])


def sweep(state: str) -> None:
    """One run at a time: whatever else is called so was left by one that was killed."""
    for old in glob.glob(os.path.join(glob.escape(state), "bench-*")):
        shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    data = payload()
    secure_folder(data["state"])
    sweep(data["state"])
    client = Client(data)
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
