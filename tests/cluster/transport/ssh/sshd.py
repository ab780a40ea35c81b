"""A real sshd of the test's own on a loopback address, with its own host keys and users' keys."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from tests.timing import LIMIT

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
MISSING = "" if os.path.exists(SSHD) and shutil.which("ssh-keygen") else "there is no sshd or ssh-keygen here"

_CONFIG = """
Port {port}
ListenAddress {address}
{keys}
AuthorizedKeysFile {authorized}
PidFile none
StrictModes no
PermitRootLogin yes
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
PrintMotd no
UseDNS no
LogLevel VERBOSE
UsePAM {pam}
{more}
"""


def make_key(path: Path, type: str = "ed25519", passphrase: str = "") -> Path:
    bits = ("-b", "2048") if type == "rsa" else ()
    words = ("ssh-keygen", "-q", "-t", type, *bits, "-N", passphrase, "-C", path.name, "-f", str(path))
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return path


def public(key: Path) -> str:
    """TYPE BASE64 of a key."""
    return " ".join(key.with_name(key.name + ".pub").read_text().split()[:2])


def fingerprint(key: Path) -> str:
    digest = hashlib.sha256(base64.b64decode(public(key).split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Sshd:
    """Runs from construction until `stop`; `lets_in` are keys whose public half is authorized."""

    def __init__(
        self,
        folder: Path,
        address: str,
        lets_in: list[Path],
        types: tuple[str, ...] = ("ed25519",),
        more: str = "",
        passwords: bool = False,
    ) -> None:
        folder.mkdir(parents=True)
        self.address, self.port = address, free_port(address)
        self.host_keys = [make_key(folder / f"host_{type}", type) for type in types]
        self._authorized = folder / "authorized_keys"
        self._authorized.write_text("".join(f"{public(key)}\n" for key in lets_in))
        self._config = folder / "sshd_config"
        self._config.write_text(self._text(more, "yes" if passwords else "no"))
        self._process: subprocess.Popen[str] | None = None
        self.log: list[str] = []
        self.start()

    @property
    def known_as(self) -> str:
        return f"[{self.address}]:{self.port}"

    def known_lines(self) -> str:
        """Its lines of a known_hosts file."""
        return "".join(f"{self.known_as} {public(key)}\n" for key in self.host_keys)

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        words = (SSHD, "-D", "-e", "-f", str(self._config))
        self._process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        listening = threading.Event()
        threading.Thread(target=self._listen, args=(self._process, listening), daemon=True).start()
        if not listening.wait(LIMIT):
            raise AssertionError(f"sshd did not start: {self.log}")

    def stop(self) -> None:
        """End it with all its connections at once, as a host that loses its power."""
        process, self._process = self._process, None
        if process:
            for pid in (process.pid, *descendants(process.pid)):
                send_signal(pid, signal.SIGKILL)
            process.wait()

    def freeze(self) -> list[int]:
        """Stop it without ending it; gives what `thaw` needs."""
        assert self._process
        pids = [self._process.pid, *descendants(self._process.pid)]
        for pid in pids:
            send_signal(pid, signal.SIGSTOP)
        return pids

    def _text(self, more: str, passwords: str) -> str:
        keys = "\n".join(f"HostKey {key}" for key in self.host_keys)
        # Where root's password is locked, sshd lets root in through PAM alone.
        pam = "yes" if os.geteuid() == 0 else "no"
        return _CONFIG.format(
            port=self.port,
            address=self.address,
            keys=keys,
            authorized=self._authorized,
            pam=pam,
            passwords=passwords,
            more=more,
        )

    def _listen(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        assert process.stderr
        with process.stderr:
            for line in process.stderr:
                self.log.append(line.rstrip())
                if line.startswith("Server listening"):
                    listening.set()


def thaw(pids: list[int]) -> None:
    for pid in pids:
        send_signal(pid, signal.SIGCONT)


def send_signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def descendants(pid: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    children, wave = [], [pid]
    while wave:
        wave = [child for child, parent in parents.items() if parent in wave]
        children += wave
    return children
