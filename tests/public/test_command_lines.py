"""Command lines that are documented, and every option: the command and the values that each stands for."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orchestrator.cli import cli
from tests.command_lines import asked
from tests.public.golden import holds, recorded

ROOT = Path(__file__).parents[2]
#: Written by hand: every option of every command, in the ways that it can be given.
MORE = """
up mine.yaml
up mine.yaml --keep --wait --skip mtu --skip open-files --output plain
up --output=json mine.yaml
up mine.yaml --restart
up mine.yaml --recreate
down
down mine.yaml --wait
down --cluster demo --output live
plan
plan --cluster demo --hosts
check --all --strict --deep --fabric
check mine.yaml --skip gpu-idle --cluster demo
status mine.yaml --watch
status --cluster demo --output auto
logs
logs mine.yaml gpu-a gpu-b
logs gpu-a --cluster demo --unit ray --unit vllm --unit ranks --lines 0 --follow
logs --lines 5 gpu-a --follow gpu-b
exec -- ls -l --output json
exec mine.yml gpu-a --timeout 5.5 gpu-b -- ls -- a
exec --cluster demo --output json -- true
diagnose --to /tmp/a.tar.gz --cluster demo
unlock --reason why
unlock mine.yaml --cluster demo --reason "a b"
bench
bench mine.yaml --workload 160/8 --workload balanced --num-prompts 1,4 --num-prompts 4 --rate inf
bench --from HERE --cold restart --seed 7 --repeat 3 --results a --cluster demo
bench --from head --cold seed --workload decode-heavy
bench --cold reset --rate 2.5
bench layouts --layouts 16x1,8x2 --layouts 8x2 --cold salt
bench layouts mine.yaml --layouts 1x1 --workload 8/8 --num-prompts 2 --results a --cluster demo
bench report a
bench report a b --output json --to page.html
bench report a --output html
bench report a --output markdown
bench compare a b
bench compare a b --output json
bench compare a b --output markdown
bench compare a b --output plain
"""


def documented() -> set[str]:
    """Behind `orchestrator` in the pages, in examples, and in the help of every command."""
    pages = [
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").glob("*.yaml"),
        ROOT / "inventory.yaml",
    ]
    found = set()
    for page in pages:
        text = page.read_text()
        found |= {
            one.split("  #")[0].strip()
            for one in re.findall(r"^\s*\$ (?:python -m )?orchestrator (.*)$", text, re.M)
        }
        found |= set(re.findall(r"`(?:python -m )?orchestrator ([^`<{]+)`", text.replace("\n", " ")))
    return {one for one in found if "..." not in one and "HOST" not in one}


def lines() -> list[str]:
    return sorted({*documented(), *filter(None, MORE.splitlines())})


@pytest.mark.usefixtures("unset")
def test_every_line_that_was_ever_documented() -> None:
    """Pages may say less or more than they did: what they have said once works for ever."""
    known = recorded("command-lines") or {line: {} for line in lines()}
    found = {line: asked(shlex.split(line)) for line in known}
    holds("command-lines", found)
    options = {name for values in known.values() for name in values}
    assert {line: sorted(options & found[line].keys()) for line in known} == {
        line: sorted(values) for line, values in known.items()
    }


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a setting of this machine nor a file that is called like a word."""
    monkeypatch.delenv("ORCHESTRATOR_OUTPUT", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "line",
    ["", "up", "down --keep", "up a.yaml --restart --recreate", "exec ls", "unlock", "check --skip nothing"],
)
def test_what_means_nothing_is_a_status_of_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(shlex.split(line))
    assert caught.value.code == 2
