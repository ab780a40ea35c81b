"""Sandbox hosts as scenarios see them: what runs there, what lies there, and how to make trouble."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from sandbox.inside import inside
from sandbox.network import tool
from sandbox.processes import Process, processes
from tests.timing import LIMIT, eventually

ROOT = Path(__file__).parents[2]
#: What the shell of a session runs, on its command line.
_SHELL = "exec timeout -k "
_OTHERWISE = ("--tokenizer-mode", "auto")


def wait_for(what: str, condition: Callable[[], object]) -> None:
    """Until `condition` holds; fails with `what` when it never does."""
    eventually(condition, what, pause=0.1)


def sandbox(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "sandbox", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)


@dataclass(frozen=True)
class Hosts:
    """A sandbox that is up. `inventory` is the file that it wrote."""

    name: str
    inventory: Path

    @classmethod
    def up(cls, name: str, hosts: int, gpus: int, engine: str) -> Hosts:
        """They end with this test process at the latest."""
        owner = str(os.getpid())
        shape = ("--hosts", str(hosts), "--gpus", str(gpus), "--engine", engine)
        done = sandbox("up", "--name", name, *shape, "--owner", owner)
        assert done.returncode == 0, done.stderr
        return cls(name, Path(done.stdout.splitlines()[-1]))

    def without_trial(self) -> Hosts:
        """The same hosts, with an inventory whose model no check reads with transformers: seconds of every `up`.

        vLLM may read it otherwise with such an argument; the scripted engine lets it pass.
        """
        path = self.inventory.with_name("without_trial.yaml")
        return replace(self, inventory=self.edited(path, lambda one: one["serve"]["arguments"].extend(_OTHERWISE)))

    def address(self, host: str, kind: str = "address") -> str:
        hosts = yaml.safe_load(self.inventory.read_text())["hosts"]
        return str(next(one[kind] for one in hosts if one["name"] == host))

    def cluster_address(self, host: str) -> str:
        return self.address(host, "cluster_address")

    def init(self, host: str) -> int:
        """The process, on this machine, that is the host: its sshd. Killing it is pulling the plug."""
        hosts = json.loads((self.inventory.parent / "hosts.json").read_text())["hosts"]
        return int(next(one["pid"] for one in hosts if one["name"] == host))

    def down(self) -> None:
        done = sandbox("down", "--name", self.name)
        assert done.returncode == 0, done.stderr

    def run(self, host: str, *argv: str, check: bool = True) -> str:
        """As `python -m sandbox exec` does, without a Python that starts first."""
        words, environment = inside(self.name, host, list(argv))
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=LIMIT)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def write(self, host: str, path: str, text: str) -> None:
        self.run(host, "sh", "-c", 'mkdir -p "$(dirname "$1")"; printf %s "$2" > "$1"', "sh", path, text)

    def behave(self, host: str = "node0", **behaviour: Any) -> None:
        """What the scripted engine does from now on, as far as that can change. It may read this at any time."""
        told = "/etc/sandbox/engine.json"
        self.write(host, f"{told}.new", json.dumps(behaviour))
        self.run(host, "mv", f"{told}.new", told)

    def processes(self, host: str) -> dict[int, str]:
        """Command lines by pid, but for sshd."""
        return {one.pid: one.command for one in self._running(host)}

    def _running(self, host: str) -> list[Process]:
        """A connection begins with an sshd that is called by its path."""
        return [one for one in processes(self.init(host)) if not one.command.startswith(("sshd", tool("sshd")))]

    def lasting(self, host: str) -> dict[int, str]:
        """Without the programs of a session, which leave when they hear that their connection has ended: that may
        be a moment after the orchestrator has. Each has a `timeout` of ours at the head of its process group, and
        the shell that sshd started waits for that."""
        running = self._running(host)
        sessions = {one.group for one in running if one.command.startswith("timeout -k ") or _SHELL in one.command}
        return {one.pid: one.command for one in running if one.group not in sessions}

    def pids(self, host: str, word: str) -> list[int]:
        """Of processes with `word` in their command line.

        A copy that a process has made of itself to start another program has its command line until it does.
        """
        running = {one.pid: one for one in self._running(host)}
        copies = {
            one.pid for one in running.values() if one.command == getattr(running.get(one.parent), "command", None)
        }
        return [pid for pid, one in running.items() if word in one.command and pid not in copies]

    def kill(self, host: str, *pids: int) -> None:
        """Until they are gone: a signal is delivered when the process next has a core."""
        self.run(host, "kill", "-9", *map(str, pids), check=False)  # one may have ended by itself
        wait_for(f"{pids} to be gone", lambda: not self.processes(host).keys() & set(pids))

    def gpus_in_use(self, host: str) -> int:
        query = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")
        return sum(int(used) > 1024 for used in self.run(host, *query).split())

    def edited(self, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
        """A copy of the inventory at `path`, beside its known_hosts, after `change`."""
        document = yaml.safe_load(self.inventory.read_text())
        document["known_hosts"] = str(self.inventory.parent / "known_hosts")
        change(document)
        path.write_text(yaml.safe_dump(document))
        return path

    def _silent(self, host: str) -> bool:
        return not self.processes(host)

    def assert_idle(self, *hosts: str) -> None:
        """Nothing runs on these hosts and no GPU is held; logs may lie there to be read."""
        for host in hosts:
            left = self.lasting(host)
            assert left == {}, f"{host}: {left}"
            assert self.gpus_in_use(host) == 0, host
            wait_for(f"no program of a session on {host}", partial(self._silent, host))

    def assert_clean(self, *hosts: str) -> None:
        """Idle, and no file is left but compile caches, which a `down` keeps."""
        self.assert_idle(*hosts)
        for host in hosts:
            assert self.files(host) == "", host

    def files(self, host: str) -> str:
        return self.run(host, "find", "/var/tmp", "-xdev", "-type", "f", "-not", "-path", "*/cache/*")
