"""Words that a shell completes: in real shells, with names of files, and none that a shell would run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.inventory import fields
from orchestrator.cli import cli
from orchestrator.local import last_inventory, names
from tests.orchestrator.cli.shell import shell
from tests.orchestrator.cli.test_cli import HEAVY
from tests.orchestrator.simulated_cluster import written

#: Bash is everywhere; `make completion` installs the others.
SHELLS = ["bash", *(pytest.param(name, marks=pytest.mark.shells) for name in ("zsh", "fish"))]
#: As names of hosts and of clusters: what a shell would run, expand, or take for two words.
HOSTILE = [
    "$(touch ran)",
    "`touch ran`",
    "; touch ran;",
    "a b",
    "*",
    "-rf",
    "x\ttouch ran",
    "'",
    '"',
    "~",
    "x$(y)",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with inventories, and a machine that remembers clusters."""
    folder, state = tmp_path / "folder", tmp_path / "state"
    folder.mkdir()
    mine = written(folder, "mine")
    for cluster in ("mine", "other"):
        last_inventory.remember(state, cluster, mine)
    last_inventory.remember(state, "$(touch ran)", mine)
    quoted = "".join(f"  - {{name: {json_text}, address: a}}\n" for json_text in map(repr, HOSTILE))
    (folder / "hostile.yaml").write_text(f"cluster: x\nhosts:\n{quoted}  - name: safe\n    address: b\n")
    (folder / "alone.yaml").write_text("cluster: x\nhosts: [{name: $(touch ran)}]\n")
    monkeypatch.setenv("ORCHESTRATOR_STATE", str(state))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", SHELLS)
def test_a_real_shell(name: str, folder: Path, tmp_path: Path) -> None:
    with shell(name, tmp_path, folder, os.environ) as typing:
        assert typing.words("orchestrator sta\t") == ["status"]
        assert typing.words("orchestrator bench rep\tx") == ["bench", "report", "x"]
        assert typing.words("orchestrator check --str\t") == ["check", "--strict"]
        assert typing.words("orchestrator down --cluster mi\t") == ["down", "--cluster", "mine"]
        assert typing.words("orchestrator plan mi\t") == ["plan", "mine.yaml"]
        assert typing.words("orchestrator logs --cluster mine gpu-b\t --fol\t") == [
            *("logs", "--cluster", "mine", "gpu-b", "--follow"),
        ]
        assert typing.words("orchestrator exec mine.yaml gpu-a\t-- cat hos\t") == [
            *("exec", "mine.yaml", "gpu-a", "--", "cat", "hostile.yaml"),
        ]
        assert typing.words("orchestrator logs hostile.yaml \t") == ["logs", "hostile.yaml", "safe"]
        assert typing.words("orchestrator logs alone.yaml \t") == ["logs", "alone.yaml"]
    assert not (folder / "ran").exists()


def of_bash(line: str) -> dict[str, str]:
    """What bash asks with, for the last word of a line."""
    last = str(len(line.split(" ")) - 1)
    return {"COMP_WORDS": line, "COMP_CWORD": last, "_ORCHESTRATOR_COMPLETE": "bash_complete"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "items"),
    [
        ("orchestrator un", ["plain,unlock"]),
        ("orchestrator bench ", ["file,", "plain,report", "plain,compare", "plain,layouts"]),
        ("orchestrator bench --se", ["plain,--seed"]),
        ("orchestrator bench mine.yaml --cold re", ["plain,reset", "plain,restart"]),
        ("orchestrator bench layouts --workload b", ["plain,balanced"]),
        ("orchestrator bench report ", ["dir,"]),
        ("orchestrator status --cluster ", ["plain,mine", "plain,other"]),
        ("orchestrator logs ", ["file,"]),
        ("orchestrator logs --cluster other ", ["file,", "plain,gpu-a", "plain,gpu-b"]),
        ("orchestrator logs mine.yaml gpu-a ", ["plain,gpu-b"]),
        ("orchestrator logs missing.yaml ", []),
        ("orchestrator exec mine.yaml -- ls ", ["file,"]),
    ],
)
def test_what_bash_is_told(
    line: str, items: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in of_bash(line).items():
        monkeypatch.setenv(name, value)
    assert cli.main([]) == 0
    shown = capsys.readouterr()
    assert (shown.out.split(), shown.err) == (items, "")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("fish", {"COMP_WORDS": "orchestrator ", "COMP_CWORD": " "}),
        ("bash", {"COMP_WORDS": "orchestrator", "COMP_CWORD": "x"}),
        ("csh", {}),
    ],
)
def test_a_shell_sees_no_traceback(
    name: str, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in {**asked, "_ORCHESTRATOR_COMPLETE": f"{name}_complete"}.items():
        monkeypatch.setenv(variable, value)
    assert cli.main([]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_tab_imports_nothing_heavy(folder: Path) -> None:
    code = f"""
import sys
from orchestrator.cli.cli import main
main([])
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    asked = {**os.environ, **of_bash("orchestrator logs --cluster other ")}
    done = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["plain,gpu-b", "[]"]


def test_no_host_is_completed_where_a_command_would_want_a_cluster(folder: Path) -> None:
    state = folder.parent / "state"
    assert names.remembered_host_names(state, None) == []
    assert names.remembered_host_names(state, "other") == ["gpu-a", "gpu-b"]
    (state / "other").chmod(0o777)
    assert names.remembered_host_names(state, "other") == []


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("hosts: [{name: a, address: x}, {address: y, name: b}]\n", ["a", "b"]),
        ('hosts:\n- {"name": "a"}\n- name: \'b\'  # a comment\n- name: c\n', ["a", "b", "c"]),
        (
            "name: no\nhosts:\n  # - name: no\n  - name: a\n  - hostname: n\nmodel: {served_name: n, name: n}\n",
            ["a"],
        ),
        ("hosts:\n  - name: ${HOST}\n  - name: a$(b)\n  - name: a b\n  - name: -a\n", []),
        ("hosts: 1\n", []),
        ("cluster: [", []),
        ("", []),
        ("hosts:\n  - name: a\n" + "#" * 70_000, []),
        ("hosts:\n  - name: \xff\n", []),
    ],
)
def test_hosts_of_an_inventory(tmp_path: Path, text: str, hosts: list[str]) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_bytes(text.encode("latin-1"))
    assert names.host_names(path) == hosts


def test_a_file_that_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [names.host_names(path) for path in (tmp_path / "pipe", tmp_path, tmp_path / "none")] == [[], [], []]


def test_names_are_those_of_an_inventory() -> None:
    """A name that no inventory has is not completed, and each that it may have is."""
    from pydantic import TypeAdapter, ValidationError

    def takes(kind: Any, name: str) -> bool:
        try:
            return bool(TypeAdapter(kind).validate_python(name))
        except ValidationError:
            return False

    for name in [*HOSTILE, "a", "A.b_c-d", "9", "a" * 41, "a" * 42, "a" * 63, "a" * 64, "", ".a", "Ab"]:
        assert takes(fields.HostName, name) == bool(names.HOST.fullmatch(name)), name
        assert takes(fields.ClusterName, name) == bool(names.CLUSTER.fullmatch(name)), name
