"""A sandbox as its own tests see it: through its command line, its state folder and SSH."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.timing import LIMIT

ROOT = Path(__file__).parents[2]
STATES = Path("/run/orchestrator-sandbox")


def sandbox(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "sandbox", *words]
    return subprocess.run(argv, cwd=ROOT, input=stdin, text=True, capture_output=True, timeout=LIMIT, check=False)


def exists(pid: int) -> bool:
    """A zombie that this machine's init has not collected yet runs nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def links() -> set[str]:
    shown = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout
    return {link["ifname"] for link in json.loads(shown)}


@dataclass(frozen=True)
class Up:
    name: str
    inventory: Path

    @property
    def folder(self) -> Path:
        return STATES / self.name

    def on(self, host: str, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return sandbox("exec", "--name", self.name, host, "--", *command, stdin=stdin)

    def said(self, host: str, *command: str) -> str:
        done = self.on(host, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state(self, file: str) -> Any:
        return json.loads((self.folder / file).read_text())

    def hosts(self) -> list[dict[str, Any]]:
        hosts: list[dict[str, Any]] = self.state("hosts.json")["hosts"]
        return hosts

    def supervisor(self) -> int:
        return int(self.state("supervisor.json")["pid"])

    def ssh(self, host: int, port: int, command: str) -> subprocess.CompletedProcess[str]:
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={self.folder}/known_hosts"]
        argv = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option))]
        argv += ["-i", f"{self.folder}/client_key", "-p", str(port), f"root@{self.hosts()[host]['address']}"]
        return subprocess.run([*argv, command], capture_output=True, text=True, timeout=LIMIT, check=False)


def up(name: str, *words: str, owner: int | None = None) -> Up:
    done = sandbox("up", "--name", name, "--owner", str(owner or os.getpid()), *words)
    assert done.returncode == 0, done.stderr
    return Up(name, Path(done.stdout.splitlines()[-1]))
