"""Sandbox hosts as scenarios see them: what runs there, what lies there, and how to make trouble."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from sandbox.inside import inside

ROOT = Path(__file__).parents[2]
_OTHERWISE = ("--tokenizer-mode", "auto")


def wait_for(what: str, condition: Callable[[], object], bound: float = 60.0) -> None:
    """Until `condition` holds; fails with `what` when it does not within `bound` seconds."""
    end = time.monotonic() + bound
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {bound:g} s"
        time.sleep(0.1)


def sandbox(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "sandbox", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=timeout)


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
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def write(self, host: str, path: str, text: str) -> None:
        self.run(host, "sh", "-c", 'mkdir -p "$(dirname "$1")"; printf %s "$2" > "$1"', "sh", path, text)

    def behave(self, host: str = "node0", **behaviour: Any) -> None:
        """What the scripted engine does from its next start on."""
        self.write(host, "/etc/sandbox/engine.json", json.dumps(behaviour))

    def processes(self, host: str) -> dict[int, str]:
        """Command lines by pid, but for sshd and for this very look."""
        return {pid: args for pid, _, args in self._rows(host)}

    def _rows(self, host: str) -> list[tuple[int, int, str]]:
        """Of processes: pid, process group, command line."""
        listed = self.run(host, "ps", "-eo", "pid=,pgid=,stat=,args=").splitlines()
        rows = [line.split(None, 3) for line in listed]
        own = ("sshd", "ps -eo")
        return [
            (int(pid), int(group), args)
            for pid, group, stat, args in rows
            if not args.startswith(own) and stat[0] != "Z"
        ]

    def _lasting(self, host: str) -> dict[int, str]:
        """Without the programs of a session, which leave when they hear that their connection has ended: that may
        be a moment after the orchestrator has. Each has a `timeout` of ours at the head of its process group."""
        rows = self._rows(host)
        sessions = {group for _, group, args in rows if args.startswith("timeout -k ")}
        return {pid: args for pid, group, args in rows if group not in sessions}

    def pids(self, host: str, word: str) -> list[int]:
        """Of processes with `word` in their command line."""
        return [pid for pid, args in self.processes(host).items() if word in args]

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
            left = self._lasting(host)
            assert left == {}, f"{host}: {left}"
            assert self.gpus_in_use(host) == 0, host
            wait_for(f"no program of a session on {host}", partial(self._silent, host), 5)

    def assert_clean(self, *hosts: str) -> None:
        """Idle, and no file is left but compile caches, which a `down` keeps."""
        self.assert_idle(*hosts)
        for host in hosts:
            assert self.files(host) == "", host

    def files(self, host: str) -> str:
        return self.run(host, "find", "/var/tmp", "-xdev", "-type", "f", "-not", "-path", "*/cache/*")
