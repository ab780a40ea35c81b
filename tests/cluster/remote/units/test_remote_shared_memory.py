"""What a unit keeps in shared memory goes with it, and nothing else does."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from tests.cluster.remote.cell import Cell
from tests.timing import eventually

FOLDER = Path("/dev/shm")

#: Makes shared memory as vLLM does. On SIGTERM it does as told.
SHARING = """
import os, signal, sys, time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
signal.signal(signal.SIGTERM, {answer})
memory = SharedMemory(create=True, size=1 << 20)
{more}
print("made", memory.name, flush=True)
while True:
    time.sleep(600)
"""
DEAF = SHARING.format(answer="signal.SIG_IGN", more="")
_FORGETS = "resource_tracker.unregister(memory._name, 'shared_memory')"
#: It hears, and forgets what it has made.
HASTY = SHARING.format(answer="lambda *_: os._exit(0)", more=_FORGETS)
#: Python's own tracker may be faster than SIGKILL, and removes what others use as well.
UNTRACKED = SHARING.format(answer="signal.SIG_IGN", more=_FORGETS)


def made(cell: Cell, program: str) -> Path:
    cell.launch((sys.executable, "-c", program))
    cell.says("made psm_")
    return FOLDER / cell.log().split()[-1]


@pytest.fixture
def weights() -> Iterator[Path]:
    """Somebody keeps them in memory, so that a start is fast."""
    path = FOLDER / f"weights-{os.getpid()}.safetensors"
    path.write_bytes(bytes(mmap.PAGESIZE))
    yield path
    path.unlink()


@pytest.mark.parametrize("program", [DEAF, HASTY], ids=["killed", "ended"])
def test_it_goes_with_the_unit(cell: Cell, program: str) -> None:
    memory = made(cell, program)
    assert memory.exists()
    assert cell.stop(patience=0.1 if program is DEAF else 10.0) == []
    assert not memory.exists()


def test_that_of_a_child_that_nobody_tells_goes_as_well(cell: Cell) -> None:
    cell.launch(("sh", "-c", 'trap "" TERM; setsid -f "$0" -c "$1"; sleep 600', sys.executable, DEAF))
    cell.says("made psm_")
    memory = FOLDER / cell.log().split()[-1]
    assert memory.exists()
    assert cell.stop(patience=0.1) == []
    assert not memory.exists()


def test_what_is_made_after_sigterm_is_found_before_sigkill(cell: Cell) -> None:
    keep = "globals().update(late=SharedMemory(f'late-{os.getpid()}', True, 9))"
    late = f"signal.signal(signal.SIGTERM, lambda *_: {keep})"
    made(cell, SHARING.format(answer="signal.SIG_IGN", more=late))
    assert cell.stop(patience=1.0) == []
    assert list(FOLDER.glob("late-*")) == []


def test_what_somebody_else_uses_stays(cell: Cell) -> None:
    memory = made(cell, UNTRACKED)
    theirs = SharedMemory(memory.name)
    try:
        assert cell.stop(patience=0.1) == []
        assert memory.exists()
    finally:
        theirs.close()
        theirs.unlink()


def test_what_somebody_else_has_open_stays(cell: Cell) -> None:
    memory = made(cell, UNTRACKED)
    with memory.open() as file, subprocess.Popen(["sleep", "603"], stdin=file) as stranger:
        file.close()
        left = cell.stop(patience=0.1), memory.exists()
        stranger.kill()
    assert left == ([], True)
    memory.unlink()


def test_weights_that_lie_there_stay(cell: Cell, weights: Path) -> None:
    """Files stay that are mapped for reading, or for a private copy."""
    reading = "mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)"
    copying = "mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)"
    more = f"import mmap; file = open({str(weights)!r}, 'r+b'); maps = {reading}, {copying}"
    memory = made(cell, SHARING.format(answer="signal.SIG_IGN", more=more))
    assert cell.stop(patience=0.1) == []
    assert not memory.exists()
    assert weights.exists()


def test_a_name_that_was_given_to_another_file_stays(cell: Cell) -> None:
    memory = made(cell, DEAF)
    other = memory.with_name("other-" + memory.name)
    other.write_text("of somebody")
    os.replace(other, memory)
    assert cell.stop(patience=0.1) == []
    assert memory.read_text() == "of somebody"
    memory.unlink()


def test_what_a_folder_there_holds_stays(cell: Cell, tmp_path: Path) -> None:
    folder = FOLDER / f"store-{os.getpid()}"
    folder.mkdir()
    path = folder / "db"
    path.write_bytes(bytes(mmap.PAGESIZE))
    more = f"import mmap; file = open({str(path)!r}, 'r+b'); kept = mmap.mmap(file.fileno(), 0)"
    made(cell, SHARING.format(answer="signal.SIG_IGN", more=more))
    assert cell.stop(patience=0.1) == []
    eventually(lambda: not cell.pids())
    assert path.exists()
    path.unlink()
    folder.rmdir()
