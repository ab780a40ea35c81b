"""The command line: what it understands and refuses, and what it imports for that."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli import cli
from tests.command_lines import WORKS, command_of
from tests.orchestrator.simulated_cluster import SimulatedCluster, run, written

Captured = pytest.CaptureFixture[str]
#: They take as long as all else that a help needs, or several times that.
HEAVY = ["pydantic", "pydantic_settings", "fabric", "paramiko", "rich", "tenacity", "yaml", "cluster.values"]


@pytest.mark.parametrize(
    ("words", "inventory", "hosts"),
    [
        ("logs", None, ()),
        ("logs gpu-a gpu-b", None, ("gpu-a", "gpu-b")),
        ("logs --unit ray a.yaml gpu-a --follow gpu-b", Path("a.yaml"), ("gpu-a", "gpu-b")),
        ("logs --cluster demo gpu-a", None, ("gpu-a",)),
        ("exec a.yml -- ls", Path("a.yml"), ()),
        ("exec gpu-a --timeout 5 gpu-b -- ls", None, ("gpu-a", "gpu-b")),
    ],
)
def test_words_for_an_inventory_and_hosts(words: str, inventory: Path | None, hosts: tuple[str, ...]) -> None:
    _, values = command_of(words.split())
    assert (values["path"], values["hosts"]) == (inventory, hosts)


def test_words_behind_two_dashes_are_not_ours() -> None:
    _, values = command_of(["exec", "gpu-a", "--", "ls", "--output", "json", "--", "a.yaml", "; b"])
    assert values["words"] == ("ls", "--output", "json", "--", "a.yaml", "; b")
    assert (values["output"], values["hosts"], values["timeout"]) == ("auto", ("gpu-a",), 600)


@pytest.mark.parametrize(
    ("words", "command", "inventory"),
    [
        ("bench run", "bench", "run"),
        ("bench -- report", "bench", "report"),
        ("bench --rate 2 report", "bench", "report"),
        ("bench ./report", "bench", "report"),
        ("bench layouts --layouts 8x2", "bench layouts", None),
    ],
)
def test_bench_is_a_group_and_a_command(words: str, command: str, inventory: str | None) -> None:
    """Only its first word can name another command."""
    started, values = command_of(words.split())
    assert (started, values["path"]) == (command, Path(inventory) if inventory else None)


def test_the_program_as_a_module_is_the_same(capfd: Captured) -> None:
    texts = []
    for start in (["-m", "orchestrator"], [f"{Path(sys.executable).parent}/orchestrator"]):
        subprocess.run([sys.executable, *start, "logs", "--help"], check=True)
        texts.append(capfd.readouterr().out)
    assert texts[0] == texts[1] != ""


@pytest.mark.parametrize(
    "words",
    [
        "",
        "up",
        "sideways a.yaml",
        "up a.yaml --output loud",
        "down --keep",
        "down --restart",
        "up a.yaml --restart --recreate",
        "up a.yaml --cluster demo",
        "up a.yaml b.yaml",
        "down -- a.yaml b.yaml",
        "exec gpu-a ls",
        "exec gpu-a ls -l",
        "exec gpu-a --",
        "exec --timeout 0 -- ls",
        "exec --timeout inf -- ls",
        "exec --timeout soon -- ls",
        "logs --lines -1",
        "logs --lines few",
        "logs --unit gpu",
        "logs --tail",
        "logs --foll",
        "status --out json",
        "bench report",
        "bench compare a",
        "bench compare a b c",
        "unlock a.yaml",
    ],
)
def test_words_that_mean_nothing(words: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words.split())
    assert caught.value.code == 2
    assert "Usage: orchestrator" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("logs --lines x", "--lines: expected a whole number from 0 on, found 'x'"),
        ("exec --timeout 10m -- ls", "--timeout: expected a number of seconds, such as 600, found '10m'"),
        ("bench --num-prompts 1,x", "--num-prompts: expected a whole number from 1 on, found 'x'"),
        ("bench --repeat x", "--repeat: expected a whole number from 1 on, found 'x'"),
        ("bench --seed x", "--seed: expected a whole number from 0 to 2147483647, found 'x'"),
        ("bench --rate x", "--rate: expected a number of requests a second, or inf, found 'x'"),
        (
            "check --skip MTU",
            "unknown check: MTU (did you mean mtu?); `orchestrator check --all` lists",
        ),
        ("check --skip zebra", "unknown check: zebra; `orchestrator check --all` lists the checks"),
    ],
)
def test_what_was_expected_is_said_in_words(words: str, said: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        cli.main(words.split())
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("words", [["--help"], *([*name.split(), "--help"] for name in WORKS)])
def test_help_shows_an_example_that_runs(words: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    name, values = command_of(shlex.split(shown.partition("Example: orchestrator ")[2]))
    assert " ".join(words[:-1]) in ("", name)
    assert values.get("path") in (None, Path("inventory.yaml"))
    assert {*values.get("hosts", ())} <= {"gpu-a", "gpu-b"}


def test_the_version(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"orchestrator \d+\.\d+\.\d+, Python 3\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("words", [["--help"], ["up", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
from orchestrator.cli.cli import main
try:
    main({words!r})
except SystemExit:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def remembered(folder: Path, *clusters: str) -> None:
    """This machine has used these."""
    for cluster in clusters:
        assert run(SimulatedCluster(), "up", written(folder, cluster), "--output", "plain") == 0


@pytest.mark.parametrize(
    ("verb", "text", "said"),
    [
        ("up", None, "no such file"),
        ("status", "", "is empty"),
        ("down", "cluster: demo\nhost: []\n", "host"),
        ("up", "cluster: [\n", "stream end"),
    ],
)
def test_an_inventory_that_cannot_be_used(
    tmp_path: Path, capsys: Captured, verb: str, text: str | None, said: str
) -> None:
    path = tmp_path / "inventory.yaml"
    if text is not None:
        path.write_text(text)
    assert cli.main([verb, str(path), "--output", "plain"]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert f"next   {'check the path' if text is None else f'correct {path}'}" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("clusters", "words", "said"),
    [
        ([], ["down"], "no cluster is known on this machine"),
        (["demo"], ["down", "--cluster", "other"], "no cluster other is known"),
        (
            ["demo", "other"],
            ["status"],
            "several clusters are in use: demo, other\n  next   choose one with --cluster demo",
        ),
        (
            ["demo"],
            ["status", "demo.yaml", "--cluster", "demo"],
            "--cluster and an inventory file were both given",
        ),
    ],
)
def test_which_cluster(tmp_path: Path, capsys: Captured, clusters: list[str], words: list[str], said: str) -> None:
    remembered(tmp_path, *clusters)
    capsys.readouterr()
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err
