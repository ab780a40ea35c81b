"""The last lines of log files, and the next ones as they come.

Data: state (root of the state directory), folder (of this cluster and host below it), files (pairs of a pattern
below that and a label; without one a file goes by its name), lines (of each file to begin with), follow, silence
(seconds). Says JSON lines: first files (how many there are), then source and text. Who follows ends when its stdin
ends or falls silent, so that nothing is left behind when we go or are cut off.
"""

import glob
import json
import os
import re
import select
import stat
import sys
import time
from typing import TYPE_CHECKING, BinaryIO, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.processes import payload

BLOCK = LONGEST = 1 << 16
PAUSE = 0.2
#: A log that has become too long is cut to this length by its keeper, which keeps all of it as log.1.
CUT_TO = 1 << 20
#: Ray's own marks in the files of its workers: who writes from here on.
OF_RAY = (b":job_id:", b":actor_name:", b":task_name:")
#: Of these only the process and the stream are of use.
LONG_NAMES = re.compile(r"(worker)-[\w-]+-(\d+)\.(out|err)$|(nccl)\.\S+\.(\d+)\.log$")


class Tail:
    """One file that is being read, and the line in it that has not ended yet."""

    def __init__(self, path: str, source: str, file: BinaryIO) -> None:
        self.path = path
        self.source = source
        self.file = file
        self.rest = b""
        self.older = inode(f"{path}.1")

    def replaced(self) -> bool:
        """Whether another file has this name by now: each launch begins a log of its own."""
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self.file.fileno()))
        except OSError:
            return True

    def news(self) -> Iterator[bytes]:
        """The lines that have ended since the last look; one without an end is cut up."""
        size, at = os.fstat(self.file.fileno()).st_size, self.file.tell()
        if size < at:
            yield from self.before_the_cut(at)
            self.file.seek(CUT_TO if size >= CUT_TO else 0)
        self.older = inode(f"{self.path}.1")
        yield from self.lines(self.file)

    def before_the_cut(self, at: int) -> Iterator[bytes]:
        """What was not read when the log was cut short, where it was kept since the last look."""
        older = opened(f"{self.path}.1") if inode(f"{self.path}.1") != self.older else None
        if older:
            with older:
                older.seek(at)
                yield from self.lines(older)

    def lines(self, file: BinaryIO) -> Iterator[bytes]:
        while True:
            block = file.read(BLOCK)
            *whole, self.rest = (self.rest + block).split(b"\n")
            yield from whole
            if len(self.rest) > LONGEST:
                yield self.take_rest()
            if not block:
                return

    def take_rest(self) -> bytes:
        rest, self.rest = self.rest, b""
        return rest

    def say_news(self) -> None:
        for line in self.news():
            self.say(line)

    def say_all(self) -> None:
        """For the last time."""
        self.say_news()
        if rest := self.take_rest():
            self.say(rest)
        self.file.close()

    def say(self, line: bytes) -> None:
        if not line.startswith(OF_RAY):
            print(json.dumps({"source": self.source, "text": line.decode(errors="replace")}))


def inode(path: str) -> int:
    """0 where there is no such file."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def rewind(file: BinaryIO, count: int) -> None:
    """Goes to where the last `count` lines of the file begin."""
    size = start = file.seek(0, os.SEEK_END)
    while start > 0 and count > 0:
        end, start = start, max(start - BLOCK, 0)
        file.seek(start)
        block = file.read(end - start)
        # The newline at the very end begins no line.
        at = block.rfind(b"\n", 0, len(block) - (end == size))
        while at >= 0:
            count -= 1
            if count == 0:
                file.seek(start + at + 1)
                return
            at = block.rfind(b"\n", 0, at)
    file.seek(start)


def opened(path: str) -> "BinaryIO | None":
    """None where there is no file to read; to open a pipe would take for ever."""
    try:
        return open(path, "rb", buffering=0) if stat.S_ISREG(os.stat(path).st_mode) else None
    except OSError:
        return None


def found(base: str, files: "list[list[str]]") -> "dict[str, str]":
    """The source of each file that there is, by its path."""
    return {
        path: label or short_name(path)
        for pattern, label in files
        for path in sorted(glob.glob(os.path.join(glob.escape(base), pattern)))
    }


def short_name(path: str) -> str:
    """worker 1648 out, nccl 1648; any other as it is called."""
    name = os.path.basename(path)
    long = LONG_NAMES.match(name)
    return " ".join(filter(None, long.groups())) if long else name


class Tails:
    def __init__(self, lines: int) -> None:
        self.lines = lines
        self.open: dict[str, Tail] = {}

    def look(self, files: "dict[str, str]", last: bool = False) -> None:
        """Says what is new in `files`: of those there are at the first look some lines, of a newer one all."""
        for path in [path for path, tail in self.open.items() if path not in files or tail.replaced()]:
            self.open.pop(path).say_all()
        for path, source in files.items():
            tail = self.open.get(path) or self.begin(path, source)
            if tail:
                tail.say_all() if last else tail.say_news()
        self.lines = -1
        sys.stdout.flush()

    def begin(self, path: str, source: str) -> "Tail | None":
        file = opened(path)
        if file is None:
            return None
        if self.lines >= 0:
            rewind(file, self.lines)
        self.open[path] = Tail(path, source, file)
        return self.open[path]


class Owner:
    """Whoever reads us; alive for as long as our stdin is heard from."""

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self.heard = time.monotonic()

    def parted(self) -> bool:
        """Takes a pause to see."""
        if select.select([0], [], [], PAUSE)[0]:
            if not os.read(0, BLOCK):
                return True
            self.heard = time.monotonic()
        return time.monotonic() - self.heard > self.silence


def main() -> None:
    data = payload()
    base = os.path.join(data["state"], f"o-{os.getuid()}", data["folder"])
    files = found(base, data["files"])
    print(json.dumps({"files": len(files)}))
    tails = Tails(data["lines"])
    tails.look(files, last=not data["follow"])
    owner = Owner(data["silence"])
    while data["follow"] and not owner.parted():
        tails.look(found(base, data["files"]))


main()
