"""What a host can say about a start that went wrong, from this machine as a host."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.diagnosis.collect import Collected, CollectRequest, Files, _command, collect, collected
from cluster.inventory import SECRET_NAMES, Inventory
from cluster.launch.unit import folder_name
from tests.cluster import builders
from tests.cluster.remote.cell import Cell
from tests.cluster.remote.local import VENV, here
from tests.timing import LIMIT, Stopwatch, eventually

ALL = Files("**/*")


def inventory(state: Path | str) -> Inventory:
    one = builders.inventory()
    runtime = one.runtime.model_copy(update={"venv": VENV, "state_directory": str(state)})
    return one.model_copy(update={"runtime": runtime})


def brought(state: Path, *files: Files, environ: dict[str, str] | None = None, **wanted: Any) -> Collected:
    """Has all the time that it takes, unless `wanted` limits it."""
    return collect(
        here(environ), inventory(state), CollectRequest(files, **{"kernel": "", "seconds": LIMIT, **wanted})
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """That of the cluster."""
    path = tmp_path / f"o-{os.getuid()}" / folder_name(builders.inventory().cluster, "here")
    (path / "vllm").mkdir(parents=True)
    return path


def test_files_by_pattern_each_once(tmp_path: Path, folder: Path) -> None:
    (folder / "vllm" / "log").write_text("one\ntwo\n")
    (folder / "vllm" / "record.json").write_text("{}")
    found = brought(tmp_path, Files("*/record.json"), Files("*/*"), Files("nothing*"))
    assert found == Collected("here", {"vllm/record.json": "{}", "vllm/log": "one\ntwo\n"})


def test_of_a_long_file_both_ends_in_whole_lines(tmp_path: Path, folder: Path) -> None:
    lines = [f"line {number:04}" for number in range(1000)]
    (folder / "vllm" / "log").write_text("".join(f"{line}\n" for line in lines))
    text = brought(tmp_path, Files("*/log", head=45, tail=45)).texts["vllm/log"]
    assert text.splitlines() == [*lines[:4], "[9921 bytes were left out here]", *lines[-4:]]


def test_files_that_nobody_wrote_to_lately_are_left_out(tmp_path: Path, folder: Path) -> None:
    for name, age in (("new", 5), ("old", 500)):
        (folder / "vllm" / name).write_text(name)
        os.utime(folder / "vllm" / name, (time.time() - age,) * 2)
    assert list(brought(tmp_path, Files("vllm/*", within=60)).texts) == ["vllm/new"]


def test_what_is_no_text_or_cannot_be_read_hides_nothing(tmp_path: Path, folder: Path) -> None:
    (folder / "vllm" / "a").write_bytes(b"\0" * 100)
    os.mkfifo(folder / "vllm" / "b")
    (folder / "vllm" / "c").write_text("said")
    assert brought(tmp_path, Files("vllm/*")).texts == {"vllm/c": "said"}


def test_without_room_it_is_named(tmp_path: Path, folder: Path) -> None:
    (folder / "vllm" / "log").write_text("x" * 1000)
    (folder / "vllm" / "small").write_text("y")
    found = brought(tmp_path, Files("vllm/log"), Files("vllm/small"), most=100)
    assert (list(found.texts), found.left_out) == (["vllm/small"], ("vllm/log",))


def test_secrets_of_the_session_and_rays_token_do_not_leave(tmp_path: Path, folder: Path) -> None:
    (folder / "ray.token").write_text("rays-own-token\n")
    (folder / "vllm" / "log").write_text("HF_TOKEN=planted-in-a-dump said rays-own-token and of-the-session\n")
    found = brought(tmp_path, Files("*/log"), environ={"HUB_TOKEN": "of-the-session"})
    assert found.texts == {"vllm/log": "HF_TOKEN=********** said ********** and **********\n"}


def test_commands_and_versions(tmp_path: Path, folder: Path) -> None:
    commands = {"said.txt": ("echo", "hello"), "missing.txt": ("/no/such/program",)}
    found = brought(tmp_path, commands=commands, versions=True)
    assert found.texts["said.txt"] == "hello\n"
    assert found.texts["missing.txt"] == "/no/such/program: No such file or directory\n"
    assert "\npytest==" in found.texts["versions.txt"]
    assert found.left_out == ()


def test_a_command_that_takes_longer_than_there_is_time_is_left_out(tmp_path: Path, folder: Path) -> None:
    with Stopwatch() as watch:
        found = brought(tmp_path, commands={"slow.txt": ("sleep", "600")}, seconds=0.5)
    assert watch.seconds < 5
    assert found.left_out == ("slow.txt",)


def test_a_ray_that_hangs_is_not_waited_for(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = "import time; time.sleep(60)"
    monkeypatch.setattr("cluster.diagnosis.collect.remote_source", lambda name: hanging)
    with Stopwatch() as watch:
        found = brought(tmp_path, ray_state={"any": 1}, seconds=1.0)
    assert watch.seconds < 5
    assert json.loads(found.texts["ray_state.json"]) == {"problem": "Ray did not answer in time"}


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print('noise'); print('{\"nodes\": []}')", {"nodes": []}),
        ("import sys; sys.exit('ConnectionError: no Ray')", {"problem": "ConnectionError: no Ray"}),
    ],
)
def test_what_ray_knows_or_why_not(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, program: str, told: dict[str, Any]
) -> None:
    monkeypatch.setattr("cluster.diagnosis.collect.remote_source", lambda name: program)
    found = brought(tmp_path, ray_state={"any": 1})
    assert json.loads(found.texts["ray_state.json"]) == told


#: Waits until nobody has the pipe open for writing: it ends with the test, also where that is killed.
STUCK = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
other = socket.create_connection(listener.getsockname())
pipe = os.open(sys.argv[2], os.O_RDONLY)
open(sys.argv[1], "w").write(str(listener.getsockname()[1]))
def waits_for_ever():
    os.read(pipe, 1)
waits_for_ever()
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """Is open for writing for as long as the test lives."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)
    yield path
    os.close(end)


def test_processes_of_ours_with_their_stacks_and_connections(
    cell: Cell, pipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cluster.diagnosis.collect.folder_name", lambda *_: os.path.relpath(cell.state, tmp_path / "o-1")
    )
    port = tmp_path / "port"
    program = tmp_path / "stuck.py"
    program.write_text(STUCK)
    cell.launch((sys.executable, str(program), str(port), str(pipe)))
    eventually(lambda: port.exists() and port.read_text())
    found = brought(tmp_path, processes=True).texts
    one = next(one for one in json.loads(found["processes.json"]) if "stuck.py" in one["command"])
    assert one["state"] == "S"
    assert one["cpu"] < 0.5
    main = one["threads"][0]
    assert main["main"]
    assert any(frame.startswith("waits_for_ever (stuck.py:") for frame in main["frames"])
    sockets = json.loads(found["connections.json"])
    here = f"127.0.0.1:{port.read_text()}"
    assert {row["state"] for row in sockets if row["local"] == here} == {"LISTEN"}
    assert {row["state"] for row in sockets if row["remote"] == here} == {"ESTABLISHED"}


def test_no_file_takes_the_time_of_the_others(tmp_path: Path, folder: Path) -> None:
    """A pattern of names that is slow on purpose: what is left out is the file that it is slow on."""
    (folder / "vllm" / "log").write_text("A" * 40 + "=b\n")
    (folder / "vllm" / "log.1").write_text("well\n")
    os.utime(folder / "vllm" / "log.1", (time.time() - 60,) * 2)
    command = _command(inventory(tmp_path), "here", CollectRequest((ALL,), kernel="", seconds=6.0))
    slow = replace(command, stdin=command.stdin.replace(json.dumps(SECRET_NAMES).encode(), b'"(?:a+)+X"'))
    answer = collected("here", here().run(slow).stdout)
    assert (answer.texts, answer.left_out) == ({"vllm/log.1": "well\n"}, ("vllm/log",))
