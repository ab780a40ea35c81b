"""A real shell at a terminal, with the documented line in its start-up file."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.timing import LIMIT, eventually

RUNBOOK = Path(__file__).parents[3] / "docs/runbook.md"
_PROMPT = "READY>"
#: Shell -> its start-up file below the home folder, what else stands there, and how it is started.
_SHELLS = {
    "bash": (".bashrc", f"PS1='{_PROMPT} '", ("bash", "--noprofile", "-i")),
    "zsh": (".zshrc", f"PS1='{_PROMPT} '; autoload -Uz compinit; compinit -u -D", ("zsh", "-d", "-i")),
    "fish": (".config/fish/config.fish", f"function fish_prompt; echo '{_PROMPT} '; end", ("fish", "-i")),
}
#: Answers the shell as the program does. A command is not carried out: its words are kept.
_PROGRAM = """#!/bin/sh
if [ -n "$_ORCHESTRATOR_COMPLETE" ]; then exec {python} -m orchestrator "$@"; fi
for word in "$@"; do printf '%s\\n' "$word"; done > {kept}.new
mv {kept}.new {kept}
"""


def documented(shell: str) -> tuple[str, str]:
    """Returns the start-up file of a shell, and the line to add to it."""
    row = re.search(rf"^\| {shell} \| `~/(\S+)` \| `(.+)` \|$", RUNBOOK.read_text(), re.MULTILINE)
    assert row
    return row[1], row[2].replace("\\|", "|")


@dataclass
class Shell:
    terminal: int
    kept: Path
    shown: str = ""

    def words(self, typed: str) -> list[str]:
        """What a command is started with that was typed so. A Tab completes, as on a keyboard."""
        self.kept.unlink(missing_ok=True)
        self._wait_for_prompt()
        os.write(self.terminal, f"{typed}\r".encode())
        eventually(self._has_run, f"a command after {typed!r}")
        return self.kept.read_text().splitlines()

    def _has_run(self) -> bool:
        """A shell that nobody reads comes to a stop."""
        self._read()
        return self.kept.exists()

    def _wait_for_prompt(self) -> None:
        end = time.monotonic() + LIMIT
        while _PROMPT not in self.shown:
            assert time.monotonic() < end, f"no prompt in {self.shown!r}"
            self._read(0.1)
        self.shown = ""

    def _read(self, seconds: float = 0.0) -> None:
        if select.select([self.terminal], [], [], seconds)[0]:
            self.shown += os.read(self.terminal, 1 << 16).decode(errors="replace")


@contextmanager
def shell(name: str, home: Path, folder: Path, environ: Mapping[str, str]) -> Iterator[Shell]:
    """Starts a shell in `folder`."""
    file, first, argv = _SHELLS[name]
    known, line = documented(name)
    assert known == file
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    (home / file).write_text(f"{first}\n{line}\n")
    program, kept = home / "bin/orchestrator", home / "words"
    program.parent.mkdir()
    program.write_text(_PROGRAM.format(python=sys.executable, kept=kept))
    program.chmod(0o755)
    of_home = {"HOME": str(home), "ZDOTDIR": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "TERM": "xterm"}
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.chdir(folder)
            path = f"{program.parent}:{os.environ['PATH']}"
            os.execvpe(argv[0], argv, {**os.environ, **environ, **of_home, "PATH": path})
        finally:
            os._exit(127)
    try:
        yield Shell(terminal, kept)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
