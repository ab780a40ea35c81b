"""Everything that is known of a host, asked of this one, with an nvidia-smi of ours on its PATH."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.engine.vllm_log import failed
from cluster.inventory import Inventory
from cluster.inventory.models import RuntimeSpec
from cluster.launch.unit import folder_name
from cluster.probes.facts import facts
from cluster.remote.common.processes import boot_id
from cluster.remote.common.unit_state import launcher
from cluster.values import Facts, Launcher, Listener, Presence
from tests.cluster.builders import inventory
from tests.cluster.recorded import recorded
from tests.cluster.remote.cell import FOREVER, Cell
from tests.cluster.remote.local import here
from tests.timing import eventually

LISTEN = (
    sys.executable,
    "-c",
    "import socket, time; one = socket.create_server(('127.0.0.1', 0));"
    " print(one.getsockname()[1], flush=True); time.sleep(600)",
)

#: Does not answer before somebody has come who uses the GPU.
SLOW = """#!/bin/sh
touch "$ASKED"
until [ -s "$COME" ]; do sleep 0.05; done
case "$*" in
*query-gpu*) echo "0, GPU-0, H, 81920, 900, 570.1" ;;
*) echo "GPU-0, $(cat "$COME"), 900, vllm" ;;
esac
"""


def on(folder: Path, venv: str = sys.prefix, **overrides: Any) -> Inventory:
    """An inventory whose state lies below `folder`, which is too long for a real one."""
    runtime = RuntimeSpec.model_construct(venv=venv, state_directory=str(folder))
    return inventory(1, **overrides).model_copy(update={"runtime": runtime})


def look(one: Inventory, environ: Mapping[str, str] | None = None) -> Facts:
    return here(environ).ask(facts(one, one.head))


def test_who_and_where(tmp_path: Path) -> None:
    found = look(on(tmp_path))
    assert (found.boot_id, found.uid, found.hostname) == (boot_id(), os.getuid(), socket.gethostname())
    assert found.python == platform.python_version()
    assert found.python_is_venvs
    assert "127.0.0.1" in found.addresses["lo"]
    assert found.state == f"{tmp_path}/o-{os.getuid()}/{folder_name('demo', 'gpu-a')}"
    assert found.free_mib > 0
    assert (found.ray.presence, found.vllm.presence) == (Presence.ABSENT, Presence.ABSENT)
    assert list(tmp_path.iterdir()) == []


def test_without_a_venv_the_hosts_python_looks(tmp_path: Path) -> None:
    found = look(on(tmp_path, venv="/nowhere"))
    assert not found.python_is_venvs


def test_versions_are_read_without_an_import(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    for name in ("ray-2.60.0", "vllm-0.32.0", "nvidia_nccl_cu13-2.29.2", "other-1.0", "torch-2.13.0+cpu"):
        (packages / f"{name}.dist-info").mkdir()
    assert look(on(tmp_path, venv=str(venv))).versions == {
        "ray": "2.60.0",
        "vllm": "0.32.0",
        "nvidia_nccl_cu13": "2.29.2",
        "torch": "2.13.0+cpu",
    }


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_state_directory_that_cannot_be_used(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"o-{os.getuid()}"
    if kind == "link":
        path.symlink_to(tmp_path)
    else:
        path.write_text("")
    assert look(on(tmp_path)).state_problem


def test_units_are_seen_with_what_decides(tmp_path: Path, cell: Cell) -> None:
    one = on(tmp_path)
    cell.state = look(one).state
    unit = cell.launch(FOREVER)
    found = look(one)
    assert (found.vllm.presence, found.ray.presence) == (Presence.ALIVE, Presence.ABSENT)
    assert unit.runs(found.vllm)
    assert found.vllm.argv == FOREVER
    assert set(found.vllm.pids) == cell.pids()
    assert 0 <= found.vllm.age < 60


BOB = Launcher(owner="bob", machine="laptop", state="b" * 32)


def test_who_launched_a_unit_is_in_its_record(tmp_path: Path, cell: Cell) -> None:
    one = on(tmp_path)
    cell.state = look(one).state
    cell.launch(FOREVER, "ray")
    cell.launch(FOREVER, by=BOB)
    found = look(one)
    assert (found.ray.launched_by, found.vllm.launched_by) == (None, BOB)
    assert "launched_by" not in cell.record("ray")


@pytest.mark.parametrize("odd", [{"owner": 1}, {"machine": None}, {"owner": "x" * 9999}, {"state": ["b"]}])
def test_a_record_that_names_nobody_in_words_names_nobody(odd: dict[str, object]) -> None:
    assert launcher({"launched_by": BOB.model_dump() | odd}) is None
    assert [launcher({"launched_by": other}) for other in (None, 7, {}, odd, [odd])] == [None] * 5


def test_an_engine_with_a_fatal_line_is_dead(tmp_path: Path, cell: Cell) -> None:
    one = on(tmp_path)
    cell.state = look(one).state
    cell.launch(("sh", "-c", "echo '(EngineCore pid=1) ERROR EngineCore failed to start.'; exec sleep 600"))
    cell.says("failed")
    found = look(one).vllm
    assert found.presence is Presence.DEAD
    assert set(found.pids) == cell.pids()


SERVED = "INFO: Application startup complete."
DIED = "(EngineCore pid=7) ERROR 11-26 18:02:11 [core.py:900] EngineCore encountered a fatal error."


@pytest.mark.parametrize(
    ("lines", "presence"),
    [
        ([SERVED, DIED], Presence.DEAD),
        ([SERVED, "x" * (3 << 20), DIED], Presence.DEAD),
        ([SERVED, "a client wrote: EngineCore encountered a fatal error."], Presence.ALIVE),
        ([SERVED], Presence.ALIVE),
    ],
)
def test_an_engine_that_died_while_it_served(
    tmp_path: Path, cell: Cell, lines: list[str], presence: Presence
) -> None:
    """Its process leaves seconds later: whoever takes it for alive meanwhile launches nothing."""
    one = on(tmp_path)
    cell.state = look(one).state
    cell.launch(FOREVER)
    (cell.folder() / "log").write_text("\n".join(lines))
    assert look(one).vllm.presence is presence


@pytest.mark.parametrize(
    "name", ["placement-wait", "local-ray", "crash-kv-too-small", "ready-tp2-ray", "sigterm-while-loading"]
)
def test_a_host_calls_dead_what_a_start_calls_dead(tmp_path: Path, cell: Cell, name: str) -> None:
    """Otherwise `status` shows alive what `up` gives up."""
    one = on(tmp_path)
    cell.state = look(one).state
    cell.launch(FOREVER)
    log = recorded(f"vllm/{name}.log")
    (cell.folder() / "log").write_text(log)
    assert (look(one).vllm.presence is Presence.DEAD) == failed(log)


def test_one_that_ended_is_dead_with_its_status(tmp_path: Path, cell: Cell) -> None:
    one = on(tmp_path)
    cell.state = look(one).state
    cell.launch(("sh", "-c", "exit 9"), name="ray")
    eventually(lambda: not cell.pids("ray"))
    found = look(one).ray
    assert (found.presence, found.status, found.pids) == (Presence.DEAD, 9, ())


def test_listeners_of_ours_and_of_others(tmp_path: Path, cell: Cell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        cell.state = look(on(tmp_path)).state
        cell.launch(LISTEN, name="ray")
        eventually(lambda: cell.log("ray").strip())
        ours, theirs = int(cell.log("ray")), other.getsockname()[1]
        one = on(tmp_path, serve={"port": ours}, ray={"port": theirs}).model_copy(
            update={"hosts": inventory().hosts}
        )
        found = {listener.port: listener for listener in look(one).listeners}
    assert set(found) == {ours, theirs}
    assert found[ours].ours
    assert found[ours].pid in cell.pids("ray")
    assert isinstance(found[theirs], Listener)
    assert (found[theirs].ours, found[theirs].pid) == (False, os.getpid())
    assert "pytest" in found[theirs].command


def test_what_came_while_we_looked_is_ours(tmp_path: Path, cell: Cell) -> None:
    """A launch by somebody who was killed meanwhile: nvidia-smi shows what was not there when the look began."""
    cell.state = look(on(tmp_path)).state
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(SLOW)
    smi.chmod(0o755)
    asked, come = tmp_path / "asked", tmp_path / "come"
    environ = {**os.environ, "PATH": f"{smi.parent}:{os.environ['PATH']}", "ASKED": str(asked), "COME": str(come)}
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look, on(tmp_path), environ)
        eventually(asked.exists)
        cell.launch(FOREVER)
        come.write_text(str(cell.record()["keeper"]))
        (process,) = looking.result().gpus[0].processes
    assert (process.pid, process.ours) == (cell.record()["keeper"], True)
