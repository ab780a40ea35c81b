"""What another user of a host plants by our names is not read, signalled or removed, by any program."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.command import Command, program
from cluster.diagnosis import logs
from cluster.diagnosis.collect import CollectRequest, Files, collect
from cluster.engine import nccl
from cluster.errors import CommandFailed
from cluster.inventory import Inventory
from cluster.inventory.models import RuntimeSpec
from cluster.launch import ray, unit
from cluster.launch.unit import folder_name
from cluster.lease import lease
from cluster.probes.facts import facts
from cluster.remote.common.processes import boot_id, process, processes
from cluster.state.leftovers import leftovers
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from cluster.values import Facts, Lease, Presence
from cluster.views import HostView
from tests.cluster.builders import inventory
from tests.cluster.remote.cell import FOREVER, HOST, Cell, kill
from tests.cluster.remote.local import VENV, here
from tests.cluster.remote.parts import part
from tests.timing import Stopwatch, eventually

PARTS = part("common.unit_state")
CLAIMS = part("common.port_reservations")
NOBODY = 65534
SECRET = "aws_session = mySessionWithoutAKnownShape"
RECORD = {"argv": ["sleep"], "fingerprint": "x", "launched": 1.0, "status": None, "cluster": "demo"}
BOB = Lease("bob", "desk", "2026-11-22T10:00:00+00:00", "unlock")

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder like /var/tmp, and an operator's own."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    (tmp_path / "victim" / "ray").mkdir(parents=True)
    (tmp_path / "victim" / "ray" / "log").write_text(f"{SECRET}\n")
    (tmp_path / "victim" / "nccl.h.1.log").write_text(f"{SECRET}\n")
    (tmp_path / "victim" / "ray.token").write_text(SECRET)
    (tmp_path / "victim" / "lease").write_text("")
    return folder


def theirs(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.fixture(params=["a link in their folder", "files in their folder"])
def planted(request: pytest.FixtureRequest, shared: Path) -> Path:
    """The cluster's folder, as another user has planted it before we came."""
    top, victim = shared / "o-0", shared.parent / "victim"
    state = top / folder_name("demo", "gpu-a")
    top.mkdir()
    if request.param == "a link in their folder":
        state.symlink_to(victim)
    else:
        (state / "ray").mkdir(parents=True)
        (state / "ray" / "log").symlink_to(victim / "ray" / "log")
        theirs(state)
        theirs(state / "ray")
    theirs(top)
    return state


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def on(shared: Path) -> Inventory:
    runtime = RuntimeSpec.model_construct(venv=VENV, state_directory=str(shared))
    return inventory(1).model_copy(update={"runtime": runtime})


def commands(state: str) -> dict[str, Command]:
    """Those that work in the folder, and must say that they cannot."""
    holding = {"folder": state, "lease": vars(BOB), "silence": 1.0}
    bench = {"state": state, "argv": ["true"], "env": {}, "result": "x", "url": "http://127.0.0.1:1/"}
    return {
        "keeper": unit.launch(unit.Unit("demo", "gpu-a", "ray", state, FOREVER, ()), VENV),
        "stop": program("units.stop", {"folder": f"{state}/ray", "patience": 1.0}, title="stop", venv=VENV),
        "token": ray.token(state, VENV).command,
        "sweep": unit.remove_state(state, VENV),
        "unlock": lease.breaking(BOB, state, VENV).command,
        "lease": program("lease.lease", holding, title="hold", venv=VENV),
        "bench": program(
            "bench.bench", {**bench, "families": {}, "every": 1, "silence": 1}, title="run", venv=VENV
        ),
    }


@pytest.mark.parametrize("name", ["keeper", "stop", "token", "sweep", "unlock", "lease", "bench"])
def test_who_needs_the_folder_refuses_it(planted: Path, name: str) -> None:
    before = listed(planted.parents[2])
    with pytest.raises(CommandFailed) as caught:
        HOST.run(commands(str(planted))[name])
    assert f"{planted.parent} " in caught.value.output
    assert listed(planted.parents[2]) == before


def test_facts_tell_what_is_in_the_way_and_read_nothing(planted: Path) -> None:
    one = on(planted.parents[1])
    found = here().ask(facts(one, one.head))
    assert found.state_taken is not None
    assert (found.state_taken.level, found.state_taken.owner) == ("user", "user nobody")
    assert (found.ray.presence, found.vllm.presence) == (Presence.ABSENT, Presence.ABSENT)
    (left,) = told(one, found)
    assert str(planted.parent) in left
    assert "nobody" in left


def told(one: Inventory, found: Facts) -> list[str]:
    """What `down` says of it, but for this machine's own GPUs."""
    view = HostView("gpu-a", found.model_copy(update={"gpu_problem": "", "gpus": ()}))
    return [leftover.what for leftover in leftovers(one, {"gpu-a": view})]


def test_logs_and_bundles_hold_nothing_of_it(planted: Path) -> None:
    one = on(planted.parents[1])
    read = here().ask(logs.tail(one, "gpu-a", ["ray", "vllm", "ranks"], 10))
    assert (read.files, read.lines) == (0, ())
    assert read.taken is not None
    gpu_a = Host("gpu-a", LocalTransport())
    brought = collect(gpu_a, one, CollectRequest((Files("*/*"), Files("*")), kernel=""))
    assert brought.texts == {}
    assert HOST.ask(nccl.lines(str(planted), VENV)) == ()
    assert HOST.ask(unit.status("ray", str(planted), VENV)).text == ""


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process of ours that is no unit."""
    with subprocess.Popen(["sleep", "602"], start_new_session=True) as one:
        try:
            yield one.pid
        finally:
            one.kill()


def named(stranger: int, **more: Any) -> str:
    """A record that names this process as the keeper of a unit."""
    seen = process(stranger)
    assert seen is not None
    return json.dumps({**RECORD, "keeper": stranger, "ticks": seen.ticks, "boot": boot_id(), **more})


def untouched(cell: Cell, stranger: int) -> None:
    """Neither seen nor ended."""
    assert stranger not in cell.pids()
    assert not cell.look().alive
    assert cell.stop(patience=0.1) == []
    assert stranger in processes()


def by_nobody(path: Path, text: str) -> None:
    path.write_text(text)
    theirs(path)


def open_to_all(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o666)


def linked(path: Path, text: str) -> None:
    path.with_name("elsewhere").write_text(text)
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("plant", [Path.write_text, by_nobody, open_to_all, linked])
def test_a_record_of_a_stranger_ends_nobody(cell: Cell, stranger: int, plant: Callable[[Path, str], Any]) -> None:
    cell.folder().mkdir(parents=True)
    plant(cell.folder() / "record.json", named(stranger))
    untouched(cell, stranger)


def test_a_session_of_strangers_is_none_of_a_unit(cell: Cell) -> None:
    """Its first process has ended, as a keeper that was killed, and its pid is in a record of ours."""
    cell.folder().mkdir(parents=True)
    shell = subprocess.Popen(["sh", "-c", "sleep 603 & echo $!"], start_new_session=True, stdout=subprocess.PIPE)
    assert shell.stdout
    member = int(shell.stdout.readline())
    seen = json.dumps({**RECORD, "keeper": shell.pid, "ticks": 1, "boot": boot_id()})
    shell.wait()
    (cell.folder() / "record.json").write_text(seen)
    try:
        untouched(cell, member)
    finally:
        kill({member})
        shell.stdout.close()


@pytest.mark.parametrize(
    "odd",
    [
        {"launched": None}, {"launched": float("nan")}, {"keeper": "x"}, {"keeper": True}, {"keeper": 1},
        {"keeper": 1 << 70}, {"argv": 5}, {"argv": [5]}, {"boot": 5}, {"status": "0"}, {"fingerprint": None},
        {"stopping": "no"}, {"cluster": []}, {"ticks": 1.5}, {"launch": 7},
    ],
)  # fmt: skip
def test_a_record_of_odd_types_is_none(cell: Cell, odd: dict[str, Any]) -> None:
    """And the unit is found by its other traces."""
    cell.launch(FOREVER)
    everyone, record = cell.pids(), cell.record()
    (cell.folder() / "record.json").write_text(json.dumps(record | odd))
    assert PARTS.read_record(cell.opened()) is None
    assert cell.pids() == everyone


@pytest.mark.parametrize("text", ["[1]", "[" * 100_000, "\xff", '{"keeper": 1}'])
def test_a_record_that_is_none(cell: Cell, text: str) -> None:
    cell.folder().mkdir(parents=True)
    (cell.folder() / "record.json").write_text(text, "latin-1")
    assert PARTS.read_record(cell.opened()) is None


def test_a_folder_that_was_removed_under_a_unit_leads_to_it_still(cell: Cell, stranger: int) -> None:
    cell.launch(FOREVER)
    everyone = cell.pids()
    subprocess.run(["rm", "-r", cell.state], check=True)
    assert cell.pids() == everyone
    assert cell.stop() == []
    assert not everyone & processes().keys()


#: Somebody else gives the names by which programs of before claim a port.
TAKES = """
import os, socket, sys, time
os.setuid(65534)
names = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in sys.argv[1:]]
for one, words in zip(names, sys.argv[1:]):
    one.bind("\\0orchestrator " + words)
print("ready", flush=True)
time.sleep(600)
"""


def test_nobody_elses_name_claims_a_port(cell: Cell, tmp_path: Path) -> None:
    """It cost a launch ten seconds, and a check left the port alone."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = int(one.getsockname()[1])
    taken = [f"unit {port}", f"check {port}"]
    with subprocess.Popen([VENV + "/bin/python", "-c", TAKES, *taken], stdout=subprocess.PIPE) as theirs:
        try:
            assert theirs.stdout
            assert theirs.stdout.readline() == b"ready\n"
            with Stopwatch() as watch:
                cell.launch(FOREVER, ports=(port,))
            assert watch.seconds < CLAIMS.CHECKED
            assert not CLAIMS.given_by_us(f"unit {port}")
            ours = CLAIMS.shared_folder(str(tmp_path)).make("o-0")
            assert CLAIMS.for_check(port, ours) is None
            assert cell.stop() == []
            claim = eventually(lambda: CLAIMS.for_check(port, ours))
            claim.close()
        finally:
            theirs.kill()


def test_a_log_in_one_line_takes_no_memory(cell: Cell, tmp_path: Path) -> None:
    """It had taken twice its length."""
    one = on(tmp_path)
    cell.state = f"{tmp_path}/o-{os.getuid()}/{folder_name('demo', 'gpu-a')}"
    cell.folder().mkdir(parents=True)
    with (cell.folder() / "log").open("wb") as log:
        log.truncate(1 << 30)
    command = facts(one, one.head).command
    limited = replace(command, argv=("prlimit", f"--as={600 << 20}", *command.argv))
    assert json.loads(HOST.run(limited).stdout.splitlines()[-1])["vllm"]["presence"] == "absent"
