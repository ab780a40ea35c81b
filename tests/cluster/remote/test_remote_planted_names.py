"""What another user has put by our names into a folder of ours, while it was open to all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.command import Command
from cluster.diagnosis import logs
from cluster.errors import CommandFailed
from cluster.launch.unit import folder_name
from cluster.lease import lease
from cluster.probes.facts import facts
from cluster.values import Lease
from tests.cluster.remote.cell import FOREVER, HOST, Cell
from tests.cluster.remote.local import VENV, here
from tests.cluster.remote.test_remote_other_users import BOB, on, theirs, told

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The cluster's folder, which is ours, in one like /var/tmp."""
    folder = tmp_path / "shared" / "o-0" / folder_name("demo", "gpu-a")
    folder.mkdir(parents=True)
    folder.parents[1].chmod(0o1777)
    return folder


def a_folder(path: Path) -> None:
    path.mkdir()
    theirs(path)


def a_link(path: Path) -> None:
    path.symlink_to("/")
    theirs(path)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)
    theirs(path)


def a_writable_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


@pytest.mark.parametrize(
    ("plant", "kind"),
    [(a_folder, "owner"), (a_link, "link"), (a_pipe, "no folder"), (a_writable_folder, "writable")],
)
def test_compile_caches_of_somebody_else_are_in_the_way(
    state: Path, plant: Callable[[Path], None], kind: str
) -> None:
    """An engine runs what lies in them."""
    plant(state / "cache")
    one = on(state.parents[1])
    found = here().ask(facts(one, one.head))
    assert found.state_taken is not None
    assert (found.state_taken.level, found.state_taken.kind) == ("cache", kind)
    assert str(state / "cache") in found.state_problem
    assert str(state / "cache") in told(one, found)[0]


def test_caches_of_ours_may_lie_on_another_disk(state: Path, tmp_path: Path) -> None:
    (state / "cache").symlink_to(tmp_path)
    one = on(state.parents[1])
    assert here().ask(facts(one, one.head)).state_taken is None


@pytest.mark.parametrize("take", [lease.hold, lambda *words: lease.breaking(*words).command])
@pytest.mark.parametrize("plant", [a_folder, a_link, a_pipe])
def test_a_lease_that_is_no_file_of_ours(
    state: Path, take: Callable[[Lease, str, str], Command], plant: Callable[[Path], None]
) -> None:
    plant(state / "lease")
    with pytest.raises(CommandFailed) as caught:
        HOST.run(take(BOB, str(state), VENV))
    assert f"{state}/lease: is not a plain file of this user" in caught.value.output
    assert "another user" in caught.value.cause
    assert "rm -r" in caught.value.cure


def test_a_log_that_is_no_file_of_ours_is_none(state: Path) -> None:
    (state / "ray").mkdir()
    a_pipe(state / "ray" / "log")
    assert here().ask(logs.tail(on(state.parents[1]), "gpu-a", ["ray"], 10)).files == 0


def test_a_launch_says_what_is_in_the_way_of_our_modules(cell: Cell) -> None:
    cell.folder().mkdir(parents=True)
    a_link(cell.folder() / "modules")
    with pytest.raises(CommandFailed) as caught:
        cell.launch(FOREVER, modules=(("guard", ""),))
    assert "modules is a symbolic link of user nobody" in caught.value.output
    assert cell.record()["status"] == 127
