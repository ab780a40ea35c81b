"""`diagnose`: where the bundle goes, and what is said of it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from cluster.errors import Unreachable
from cluster.inventory import load
from tests.cluster import builders
from tests.cluster.diagnosis.test_collect import line
from tests.doubles import Script, ScriptedTransport
from tests.orchestrator.commands.program import run
from tests.orchestrator.scripted_stage import facts_answer
from tests.orchestrator.simulated_cluster import written

Captured = pytest.CaptureFixture[str]
LOST = Unreachable("gpu-b", "read the facts of the host", cause="no route")


def transports(folder: Path, **answers: Script) -> dict[str, ScriptedTransport]:
    facts = {spec.name: facts_answer(builders.facts(spec)) for spec in load(written(folder), {}).hosts}
    looks = facts | {name.replace("_", "-"): answer for name, answer in answers.items()}
    return {
        name: ScriptedTransport({"facts": looks[name], "collect": line("vllm/log", "said\n")}) for name in facts
    }


def test_it_goes_to_the_folder_that_we_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(transports(tmp_path), tmp_path, "diagnose") == 0
    (path,) = (tmp_path / "here").iterdir()
    assert path.name.startswith("demo-2")
    assert path.name.endswith(".tar.gz")
    out, err = capsys.readouterr()
    assert out == f"{path}  0.0 MiB (gpu-a: 1 file, gpu-b: 1 file)\n"
    assert err == ""


@pytest.mark.parametrize("to", ["somewhere.tar.gz", "folder"])
def test_or_where_it_is_told_to(tmp_path: Path, capsys: Captured, to: str) -> None:
    (tmp_path / "folder").mkdir()
    assert run(transports(tmp_path), tmp_path, "diagnose", "--to", str(tmp_path / to), "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)
    path = Path(found["path"])
    assert path.parent == (tmp_path if to.endswith("gz") else tmp_path / "folder")
    assert found["bytes"] == path.stat().st_size
    assert (found["missing"], found["problems"]) == ([], [])


def test_a_fifo_gets_the_bundle_and_stays_one(tmp_path: Path, capsys: Captured) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["/bin/cat", fifo], stdout=subprocess.DEVNULL) as reader, open(fifo, "wb"):
        assert run(transports(tmp_path), tmp_path, "diagnose", "--to", str(fifo)) == 0
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert reader.returncode == 0


@pytest.mark.parametrize(
    ("kind", "why"), [(stat.S_IFIFO, "no process reads it"), (stat.S_IFSOCK, "it is not a regular file")]
)
def test_what_cannot_take_a_bundle_is_left_as_it_is(tmp_path: Path, capsys: Captured, kind: int, why: str) -> None:
    path = tmp_path / "special"
    os.mknod(path, kind | 0o600)
    before = path.stat()
    assert run(transports(tmp_path), tmp_path, "diagnose", "--to", str(path)) == 2
    assert f"special cannot be written: {why}" in capsys.readouterr().err
    assert path.stat() == before


def test_a_host_that_is_lost_is_explained(tmp_path: Path, capsys: Captured) -> None:
    assert run(transports(tmp_path, gpu_b=LOST), tmp_path, "diagnose", "--to", str(tmp_path)) == 4
    out, err = capsys.readouterr()
    assert "(gpu-a: 1 file)" in out
    assert "gpu-b: could not read the facts of the host (unreachable)\n  cause  no route" in err


def test_a_place_that_cannot_be_is_refused_before_any_host_is_asked(tmp_path: Path, capsys: Captured) -> None:
    hosts = transports(tmp_path)
    assert run(hosts, tmp_path, "diagnose", "--to", str(tmp_path / "nowhere" / "a.tar.gz")) == 2
    assert "is not a folder\n  next   choose another file with --to PATH" in capsys.readouterr().err
    assert not any(one.executed for one in hosts.values())


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert run(transports(tmp_path), tmp_path, "diagnose", "--to", str(tmp_path)) == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
