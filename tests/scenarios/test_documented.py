"""What the README and the runbook tell people to type, typed: on hosts by the names that they give them."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import ROOT, Hosts
from tests.scenarios.operator import Operator
from tests.test_docs import commands
from tests.timing import LIMIT

pytestmark = pytest.mark.scenario

#: They have tests of their own: the published work is more than the sandbox's model can read.
_ELSEWHERE = ("bench", "plan examples/")
#: They go on until somebody has seen enough.
_ENDLESS = {"--follow", "--watch"}
_CLUSTER = "ernie-424b"


def renamed(document: dict[str, Any]) -> None:
    document["cluster"] = _CLUSTER
    for host, name in zip(document["hosts"], ("gpu-a", "gpu-b"), strict=True):
        host["name"] = name


def distinct() -> list[str]:
    """Each once, in the order of the pages, but those that take the cluster away at the end."""
    words = dict.fromkeys(words for _, words in commands("orchestrator "))
    here = [one for one in words if not one.startswith(_ELSEWHERE)]
    return sorted(here, key=lambda one: one.startswith("down"))


def test_every_command_does_what_it_says(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    """A cluster is taken down in more ways than one, so this machine remembers it again."""
    mine = pair.edited(tmp_path / "mine.yaml", renamed)
    operator.up(mine)
    known = shutil.copytree(operator.state, tmp_path / "known")
    for words in distinct():
        shutil.copytree(known, operator.state, dirs_exist_ok=True)
        status, said = typed(operator, tmp_path, shlex.split(words))
        assert status == 0, (words, said)
    pair.assert_clean(*HOSTS)


def typed(operator: Operator, folder: Path, words: list[str]) -> tuple[int, str]:
    """The exit status, and the end of what was said on stderr."""
    argv = [str(Path(sys.executable).with_name("orchestrator")), *words]
    process = subprocess.Popen(
        argv, cwd=folder, env=operator.environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if _ENDLESS & set(words):
        assert process.stdout
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT)
    return process.returncode, said[-1500:]
