"""A folder of ours is opened step by step: what another user puts in its place is not ours, and not touched."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.remote.parts import part
from tests.timing import eventually

PARTS = part("common.remove_tree")
NOBODY = 65534
#: Seconds for what would otherwise wait for ever.
LIMIT = 10

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder like /var/tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def ours(shared: Path) -> Path:
    """The folder of a cluster."""
    folder = shared / "o-0" / "0123abcd"
    folder.mkdir(parents=True)
    return folder


def found(path: Path) -> Any:
    return PARTS.cluster_folder(str(path))


def test_ours_is_open_and_nothing_is_absent(ours: Path) -> None:
    assert isinstance(found(ours), PARTS.OpenFolder)
    assert found(ours.with_name("89abcdef")) == PARTS.Absent(str(ours.with_name("89abcdef")))
    assert isinstance(found(Path("/no/such/folder")), PARTS.Absent)


def as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def as_file(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.write_text("")


def as_pipe(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    os.mkfifo(path)


IN_THE_WAY: dict[str, tuple[Callable[[Path], object], str]] = {
    "owner": (lambda path: os.chown(path, NOBODY, NOBODY), "belongs to another user, user nobody"),
    "group": (lambda path: path.chmod(0o770), "is writable by other users"),
    "world": (lambda path: path.chmod(0o707), "is writable by other users"),
    "link": (as_link, "is a symbolic link of user root"),
    "file": (as_file, "is not a folder, and belongs to user root"),
    "pipe": (as_pipe, "is not a folder, and belongs to user root"),
}


@pytest.mark.parametrize("kind", IN_THE_WAY)
@pytest.mark.parametrize("level", ["user", "cluster"])
def test_what_is_in_the_way_is_told(ours: Path, level: str, kind: str) -> None:
    change, words = IN_THE_WAY[kind]
    path = ours if level == "cluster" else ours.parent
    change(path)
    stranger = found(ours)
    assert (stranger.level, stranger.words()) == (level, f"{path} {words}")
    if stranger.kind == "writable":
        return  # ours, and mended by whoever writes there
    with pytest.raises(SystemExit, match=words):
        PARTS.made(str(ours.parents[1]), "o-0", ours.name)


@pytest.mark.parametrize(
    ("change", "level"),
    [
        (lambda path: path.chmod(0o777), "parent"),
        (lambda path: os.chown(path, NOBODY, NOBODY), "parent"),
        (lambda path: path.chmod(0o1777), ""),
        (lambda path: path.chmod(0o775), ""),
    ],
    ids=["not sticky", "another user", "sticky", "our own group"],
)
def test_who_may_swap_our_folder_makes_it_nobodys(ours: Path, change: Callable[[Path], None], level: str) -> None:
    change(ours.parents[1])
    assert getattr(found(ours), "level", "") == level


def test_rays_own_folder_is_open_to_all_and_sheltered_by_ours(ours: Path) -> None:
    unit = ours / "ray"
    unit.mkdir()
    unit.chmod(0o777)
    assert PARTS.unit_folder(str(unit)).level == "ray"
    ours.chmod(0o700)
    assert isinstance(PARTS.unit_folder(str(unit)), PARTS.OpenFolder)


def test_a_folder_is_made_for_us_alone(shared: Path) -> None:
    before = os.umask(0)
    try:
        PARTS.made(str(shared), "o-0", "0123abcd")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o7777 for path in (shared / "o-0", shared / "o-0" / "0123abcd")}
    assert modes == {0o700}


SECRET = "a private file of the operator"


def planted(ours: Path, kind: str) -> Path:
    """Something by the name of a file of ours, that is none."""
    path, secret = ours / "log", ours.parents[1] / "secret"
    secret.write_text(SECRET)
    match kind:
        case "link":
            path.symlink_to(secret)
        case "hard link":
            os.link(secret, path)
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(path))
        case "device":
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
        case "folder":
            path.mkdir()
        case "another user":
            path.write_text(SECRET)
            os.chown(path, NOBODY, NOBODY)
    return path


@pytest.fixture
def at_most() -> Iterator[None]:
    """Whoever opens a pipe waits for ever."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


NO_FILES = ["link", "hard link", "pipe", "socket", "device", "folder", "another user"]


@pytest.mark.usefixtures("at_most")
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_plain_file_of_ours_is_not_opened(ours: Path, kind: str, flags: int) -> None:
    planted(ours, kind)
    with pytest.raises(PARTS.NotPlain, match="is not a plain file of this user"):
        found(ours).open("log", flags)


@pytest.mark.usefixtures("at_most")
@pytest.mark.parametrize("kind", NO_FILES)
def test_of_what_is_no_file_the_name_alone_goes(ours: Path, kind: str) -> None:
    path = planted(ours, kind)
    assert list(PARTS.remove(found(ours), "log")) == []
    assert not os.path.lexists(path)
    assert (ours.parents[1] / "secret").read_text() == SECRET


def test_a_folder_of_somebody_else_in_ours_is_not_emptied(ours: Path) -> None:
    theirs = ours / "ray" / "theirs"
    theirs.mkdir(parents=True)
    (theirs / "thesis.txt").write_text("years")
    os.chown(theirs, NOBODY, NOBODY)
    (ours / "ray" / "log").write_text("")
    first, *_ = PARTS.remove(found(ours), "ray")
    assert first == f"{theirs} belongs to another user, user nobody"
    assert [path.name for path in (ours / "ray").iterdir()] == ["theirs"]
    assert (theirs / "thesis.txt").exists()


def test_a_link_in_a_tree_that_is_removed_is_not_followed(ours: Path) -> None:
    victim = ours.parents[1] / "victim"
    victim.mkdir()
    (victim / "thesis.txt").write_text("years")
    (ours / "ray").mkdir()
    (ours / "ray" / "logs").symlink_to(victim)
    assert list(PARTS.remove(found(ours), "ray")) == []
    assert list(ours.iterdir()) == []
    assert (victim / "thesis.txt").exists()


def names(ours: Path, pattern: str) -> list[str]:
    return [name for name, _, _ in found(ours).matching(pattern)]


def test_a_pattern_leads_to_no_folder_behind_a_link(ours: Path) -> None:
    """Ray's link to its last session names one beside it: that one is meant, wherever the link leads."""
    session, elsewhere = ours / "ray" / "session_1" / "logs", ours.parents[1] / "elsewhere" / "logs"
    for folder in (session, elsewhere):
        folder.mkdir(parents=True)
        (folder / f"of_{folder.parent.name}.out").write_text("")
    latest = ours / "ray" / "session_latest"
    latest.symlink_to(session.parent)
    assert names(ours, "ray/session_latest/logs/*.out") == ["ray/session_latest/logs/of_session_1.out"]
    latest.unlink()
    latest.symlink_to(elsewhere.parent)
    assert names(ours, "ray/session_latest/logs/*.out") == []
    assert names(ours, "ray/.*") == []


SWAP = """
import ctypes, os, sys
top, link = sys.argv[1], sys.argv[2]
os.setgroups([]); os.setgid(65534); os.setuid(65534); os.umask(0)
os.mkdir(top + ".mine", 0o777); os.symlink(link, top)
print("ready", flush=True)
libc = ctypes.CDLL(None); names = (top.encode(), (top + ".mine").encode())
while True:
    libc.renameat2(-100, names[0], -100, names[1], 2)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "renameat2"), reason="this libc cannot swap names")
def test_a_folder_that_is_swapped_while_it_is_made_is_never_ours(shared: Path) -> None:
    """Before, one in five thousand calls was accepted, with somebody else's folder above ours."""
    for folder in (shared, *shared.parents[:4]):
        folder.chmod(folder.stat().st_mode | 0o011)
    victim, top = shared / "victims", shared / "o-0"
    victim.mkdir(mode=0o700)
    with subprocess.Popen([sys.executable, "-c", SWAP, top, victim], stdout=subprocess.PIPE) as attacker:
        try:
            assert attacker.stdout
            assert attacker.stdout.readline() == b"ready\n"
            accepted = sum(_accepted(shared) for _ in range(6000))
        finally:
            attacker.kill()
    assert accepted == 0
    assert list(victim.iterdir()) == []
    eventually(lambda: attacker.poll() is not None)


def _accepted(shared: Path) -> bool:
    try:
        PARTS.made(str(shared), "o-0", "deadbeef")
    except (SystemExit, OSError):
        return False
    return True
