"""Which processes of a host count as running: here of this machine, where threads of the kernel are seen."""

import os
import subprocess
from collections.abc import Iterator
from threading import Timer

import pytest

from sandbox import processes
from sandbox.errors import SandboxError


@pytest.fixture
def exiting() -> Iterator[subprocess.Popen[bytes]]:
    """A process without a command line, until its stdin is closed."""
    with subprocess.Popen([""], executable="/bin/cat", stdin=subprocess.PIPE) as one:
        yield one


def close(one: subprocess.Popen[bytes]) -> None:
    assert one.stdin
    one.stdin.close()


def test_one_that_is_on_its_way_out_is_waited_for(exiting: subprocess.Popen[bytes]) -> None:
    leaving = Timer(0.2, close, [exiting])
    leaving.start()
    assert exiting.pid not in {one.pid for one in processes.processes(os.getpid())}
    leaving.join()


def test_one_that_stays_is_told(exiting: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 0.1)
    with pytest.raises(SandboxError, match=str(exiting.pid)):
        processes.processes(os.getpid())


def test_threads_of_the_kernel_are_none() -> None:
    found = {one.pid: one for one in processes.processes(os.getpid())}
    assert 2 not in found
    mine = found[os.getpid()]
    assert (mine.parent, mine.group) == (os.getppid(), os.getpgrp())
    assert "pytest" in mine.command
