"""The command line: what it understands and refuses, and what it imports for that."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli import cli
from orchestrator.cli.arguments import parse
from tests.orchestrator.simulated_cluster import SimulatedCluster, run, written

Captured = pytest.CaptureFixture[str]
VERBS = ("up", "down", "plan", "check", "status", "logs", "exec", "diagnose", "bench", "unlock")
MORE = ("bench report", "bench compare", "bench layouts")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("up a.yaml", ("up", Path("a.yaml"), None, None, False)),
        ("up a.yaml --keep --output json", ("up", Path("a.yaml"), None, "json", True)),
        ("down", ("down", None, None, None, False)),
        ("down --cluster demo", ("down", None, "demo", None, False)),
        ("down a.yaml --output plain", ("down", Path("a.yaml"), None, "plain", False)),
        ("status --output live", ("status", None, None, "live", False)),
    ],
)
def test_words(words: str, expected: tuple[object, ...]) -> None:
    found = parse(words.split())
    assert (found.verb, found.inventory, found.cluster, found.output, found.keep) == expected


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
    found = parse(words.split())
    assert (found.inventory, found.hosts) == (inventory, hosts)


def test_words_behind_two_dashes_are_not_ours() -> None:
    found = parse(["exec", "gpu-a", "--", "ls", "--output", "json", "--", "a.yaml", "; b"])
    assert found.command == ("ls", "--output", "json", "--", "a.yaml", "; b")
    assert (found.output, found.hosts, found.timeout) == (None, ("gpu-a",), 600)


def test_words_of_the_other_commands() -> None:
    logs = parse(["logs", "--unit", "ranks", "--lines", "5", "--follow"])
    assert (logs.units, logs.lines, logs.follow) == (("ranks",), 5, True)
    assert (parse(["logs"]).units, parse(["logs"]).lines, parse(["logs"]).follow) == ((), 200, False)
    assert parse(["logs", "--unit", "vllm", "--unit", "ranks"]).units == ("vllm", "ranks")
    assert (parse(["diagnose"]).to, parse(["diagnose", "--to", "a.tar.gz"]).to) == (None, Path("a.tar.gz"))
    unlock = parse(["unlock", "a.yaml", "--reason", "bob has left"])
    assert (unlock.inventory, unlock.reason) == (Path("a.yaml"), "bob has left")
    assert [parse(["up", "a.yaml", *wait]).wait for wait in ([], ["--wait"])] == [False, True]
    assert parse(["down", "--wait"]).wait
    anew = [parse(["up", "a.yaml", *word]) for word in ([], ["--restart"], ["--recreate"])]
    assert [(one.restart, one.recreate) for one in anew] == [(False, False), (True, False), (False, True)]


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
        "unlock a.yaml",
    ],
)
def test_words_that_mean_nothing(words: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words.split())
    assert caught.value.code == 2
    assert "usage: orchestrator" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("logs --lines x", "--lines: expected a whole number from 0 on, found 'x'"),
        ("exec --timeout 10m -- ls", "--timeout: expected a number of seconds, such as 600, found '10m'"),
        ("bench --num-prompts 1,x", "--num-prompts: expected a whole number from 1 on, found 'x'"),
        ("bench --repeat x", "--repeat: expected a whole number from 1 on, found 'x'"),
        ("bench --seed x", "--seed: expected a whole number from 0 to 2147483647, found 'x'"),
        ("bench --rate x", "--rate: expected a number of requests a second, or inf, found 'x'"),
        ("check --skip MTU", "MTU is no check (did you mean mtu?): `orchestrator check --all` lists them"),
        ("check --skip zebra", "zebra is no check: `orchestrator check --all` lists them"),
    ],
)
def test_what_was_expected_is_said_in_words(words: str, said: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        cli.main(words.split())
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("words", [["--help"], *([*verb.split(), "--help"] for verb in (*VERBS, *MORE))])
def test_help_shows_an_example_that_runs(words: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    example = parse(shlex.split(shown.partition("Example: orchestrator ")[2]))
    assert " ".join(words[:-1]) in ("", example.verb)
    assert example.inventory in (None, Path("inventory.yaml"))
    assert {*getattr(example, "hosts", ())} <= {"gpu-a", "gpu-b"}


def test_the_version(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"orchestrator \d+\.\d+\.\d+, Python 3\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_imports_nothing_heavy() -> None:
    heavy = ["pydantic", "pydantic_settings", "fabric", "paramiko", "rich", "tenacity", "yaml", "cluster.errors"]
    code = f"""
import sys
from orchestrator.cli.cli import main
try:
    main(["up", "--help"])
except SystemExit:
    print([name for name in {heavy!r} if name in sys.modules])
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
    assert f"next   {'see whether the path is right' if text is None else f'correct {path}'}" in shown.err
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
