"""The operator: the program as a person starts it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.scenarios.hosts import ROOT
from tests.schemas import hold_output

#: Seconds for one command on however busy a machine. A whole test has more, so that the command is named.
_LONGEST = 800.0


@dataclass(frozen=True)
class Operator:
    """Somebody with a machine of their own: `state` is what it remembers, `settings` go into the environment, and
    `code` is the checkout that runs."""

    state: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    code: Path = ROOT

    def environment(self, **more: str) -> dict[str, str]:
        own = {"ORCHESTRATOR_STATE": str(self.state), "PYTHONWARNINGS": "error"}
        return {**os.environ, **own, **self.settings, **more}

    def run(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "orchestrator", *map(str, words)]
        done = subprocess.run(
            argv, cwd=self.code, env=self.environment(**more), capture_output=True, text=True, timeout=_LONGEST
        )
        if self.code == ROOT and "--output json" in " ".join(argv).partition(" -- ")[0]:
            hold_output(argv[3:], done.stdout, done.stderr)
        return done

    def start(self, *words: str | Path, **more: str) -> subprocess.Popen[str]:
        """In the background, in a session of its own, as in a terminal of its own."""
        argv = [sys.executable, "-m", "orchestrator", *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            argv,
            cwd=self.code,
            env=self.environment(**more),
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )

    def up(self, inventory: Path, **more: str) -> dict[str, Any]:
        """The announcement."""
        done = self.run("up", inventory, "--output", "json", **more)
        assert done.returncode == 0, done.stderr[-3000:]
        announced: dict[str, Any] = json.loads(done.stdout)
        return announced

    def down(self, *words: str | Path) -> None:
        done = self.run("down", *words, "--output", "plain")
        assert done.returncode == 0, done.stderr

    def events(self, done: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
        """Returns the events of one kind, from the JSON lines on stderr."""
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        return [event for event in lines if event["event"] == kind]
