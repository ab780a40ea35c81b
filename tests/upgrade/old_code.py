"""The code of another commit, in a folder of its own, run by the venv of this checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.scenarios.hosts import ROOT

_WHERE = "import cluster, orchestrator; print(cluster.__file__, orchestrator.__file__, sep='\\n')"


class NoSuchCommit(Exception):
    """The repository does not have it: a shallow clone, or a slip."""


def unpack(commit: str, folder: Path) -> Path:
    """Writes the tree of `commit` below `folder`, and returns where. Raises NoSuchCommit."""
    packed = subprocess.run(["git", "archive", commit, "--"], cwd=ROOT, capture_output=True)
    if packed.returncode != 0:
        raise NoSuchCommit(packed.stderr.decode().strip())
    code = folder / "code"
    code.mkdir()
    subprocess.run(["tar", "-x", "-C", code], input=packed.stdout, check=True)
    return code


def packages(code: Path) -> list[Path]:
    """Returns the packages that a Python takes in `code`: its venv knows those of this checkout as well."""
    done = subprocess.run([sys.executable, "-c", _WHERE], cwd=code, check=True, capture_output=True, text=True)
    return [Path(line).parent for line in done.stdout.split()]
