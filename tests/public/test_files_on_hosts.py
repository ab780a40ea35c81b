"""Files on a host, the processes that write them, and names that other programs there can see.

What an older version has left must be read by a newer one, and the other way round.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.transport.local import LocalTransport
from tests.cluster.remote.cell import Cell, collect
from tests.cluster.remote.conftest import orphans_come_here as orphans_come_here
from tests.cluster.remote.local import LocalChannel
from tests.public.golden import holds, shape
from tests.public.test_programs_on_hosts import answers_of, moved, sample
from tests.public.whole import Whole
from tests.timing import eventually


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of a cluster on a host; whatever runs there is ended after the test."""
    cell = Cell(tmp_path)
    cell.state = str(tmp_path / f"o-{os.getuid()}" / "0123abcd")
    yield Path(cell.state)
    cell.clean()
    collect()


#: Beyond all ports, and of this process alone: nothing but a name is made of it.
PORT = 100_000 + os.getpid()


def below(folder: Path) -> dict[str, str]:
    """Every file, with its mode."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): oct(path.stat().st_mode & 0o777) for path in paths}


def claims() -> list[str]:
    """Names that other programs on this host can see, of sockets that have no file."""
    names = {row.partition(" @")[2] for row in Path("/proc/net/unix").read_text().splitlines()}
    return sorted(name.replace(str(PORT), "PORT") for name in names if str(PORT) in name.split())


def test_a_unit_that_runs(whole: Whole, folder: Path) -> None:
    """A launch finds the log of the one before it."""
    (folder / "ray").mkdir(parents=True, mode=0o700)
    (folder / "ray" / "log").write_text("of before\n")
    (folder / "ray" / "log").chmod(0o600)
    command = moved(sample(whole, "keeper"), folder, argv=["sleep", "600"], ports=[PORT])
    assert LocalTransport().execute(command).status == 0
    record = json.loads((folder / "ray" / "record.json").read_text())
    title = Path(f"/proc/{record['keeper']}/comm").read_text().strip()
    (seen,) = answers_of(moved(sample(whole, "facts"), folder))
    assert (title, seen["ray"]["presence"]) == ("keeper ray", "alive")
    found = {
        "files": below(folder),
        "record": shape(record),
        "title": title,
        "sockets": eventually(claims),
        "sighting": sorted(seen["ray"]),
    }
    holds("files-on-hosts", found, "a unit that runs")


def test_the_lease(whole: Whole, folder: Path) -> None:
    """Held by one, seen by another, broken by a third."""
    holder = LocalChannel(moved(sample(whole, "lease"), folder))
    answers = [json.loads(holder.read_line(20.0) or "")]
    files, lease = below(folder), json.loads((folder / "lease").read_text())
    holder.send(b"beat\n")
    answers += [json.loads(holder.read_line(20.0) or "")]
    other = LocalTransport().execute(moved(sample(whole, "lease"), folder))
    broken = LocalTransport().execute(moved(sample(whole, "unlock"), folder))
    answers += [json.loads(other.stdout), json.loads(holder.read_line(20.0) or ""), json.loads(broken.stdout)]
    holder.close()
    holds("files-on-hosts", {"files": files, "lease": shape(lease), "answers": shape(*answers)}, "the lease")


def test_the_token_of_ray(whole: Whole, folder: Path) -> None:
    assert LocalTransport().execute(moved(sample(whole, "token"), folder)).status == 0
    holds("files-on-hosts", {"files": below(folder)}, "the token of Ray")
