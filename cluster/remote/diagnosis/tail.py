"""The last lines of log files, and the next lines as they come.

Data:
- state: the root of the state directory
- folder: that of this cluster and host below it
- files: pairs of a pattern below that folder and a label; an empty label means the file's own name
- lines: the number of first lines of each file
- follow
- silence, in seconds

Prints JSON lines. The first one is `files`, the number of this user's files. If there is an obstacle at the
folder, `taken` describes it, and `uid` is this user. The rest are `source` and `text`.
A follower ends when its stdin ends or falls silent, so no process is left behind.
"""

import json
import os
import re
import select
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Iterator, NamedTuple

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import OpenFolder, in_the_way, is_plain, user_folder
    from cluster.remote.common.processes import payload

BLOCK = LONGEST = 1 << 16
#: Bytes of a file in which its last lines are searched.
FARTHEST = 8 << 20
#: Bytes of all files at the first call, and for each line. A byte takes six in JSON, and the reader accepts eight
#: times as many.
ROOM, ROOM_OF_LINE = 1 << 20, 2 << 10
PAUSE = 0.2
#: The keeper cuts a log that is too long to this length; log.1 keeps all of it.
CUT_TO = 1 << 20
#: Ray's own marks in the files of its workers: they name the writer of the next lines.
OF_RAY = (b":job_id:", b":actor_name:", b":task_name:")
#: Only the process and the stream in these are useful.
LONG_NAMES = re.compile(r"(worker)-[\w-]+-(\d+)\.(out|err)$|(nccl)\.\S+\.(\d+)\.log$")


class Tail:
    """One file that is being read, and its last line without an end."""

    def __init__(self, place: "Place", file: BinaryIO) -> None:
        self.place = place
        self.file = file
        self.rest = b""
        self.older = place.older().inode()

    def replaced(self, place: "Place") -> bool:
        """Returns whether another file has its place now: each launch starts a new log."""
        try:
            return not os.path.samestat(place.status(), os.fstat(self.file.fileno()))
        except OSError:
            return True

    def news(self) -> Iterator[bytes]:
        """Yields the lines that ended since the last call; a line without an end is cut."""
        size, at = os.fstat(self.file.fileno()).st_size, self.file.tell()
        if size < at:
            yield from self.before_the_cut(at)
            self.file.seek(CUT_TO if size >= CUT_TO else 0)
        self.older = self.place.older().inode()
        yield from self.lines(self.file)

    def before_the_cut(self, at: int) -> Iterator[bytes]:
        """Yields the unread lines of a log that was cut since the last call, from its copy."""
        place = self.place.older()
        older = place.open() if place.inode() != self.older else None
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
        """Prints the rest, for the last time."""
        self.say_news()
        if rest := self.take_rest():
            self.say(rest)
        self.file.close()

    def say(self, line: bytes) -> None:
        if not line.startswith(OF_RAY):
            print(json.dumps({"source": self.place.source, "text": line.decode(errors="replace")}))


def rewind(file: BinaryIO, count: int, room: int) -> None:
    """Moves to the start of the last `count` lines of the file, within its last `room` bytes."""
    size = start = file.seek(0, os.SEEK_END)
    farthest = max(0, size - min(room, FARTHEST))
    while start > farthest and count > 0:
        end, start = start, max(start - BLOCK, farthest)
        file.seek(start)
        block = file.read(end - start)
        # The newline at the very end starts no line.
        at = block.rfind(b"\n", 0, len(block) - (end == size))
        while at >= 0:
            count -= 1
            if count == 0:
                file.seek(start + at + 1)
                return
            at = block.rfind(b"\n", 0, at)
    file.seek(start)


class Place(NamedTuple):
    """The place of a log, and the name that is shown for it."""

    folder: "OpenFolder"
    name: str
    source: str

    def older(self) -> "Place":
        """Returns its place once another log has its name."""
        return self._replace(name=f"{self.name}.1")

    def status(self) -> os.stat_result:
        return self.folder.status(self.name)

    def inode(self) -> int:
        """Returns the inode, or 0 where the file is missing."""
        try:
            return self.status().st_ino
        except OSError:
            return 0

    def is_ours(self) -> bool:
        try:
            return is_plain(self.status())
        except OSError:
            return False

    def size(self) -> int:
        """Returns the size, or 0 where the file is missing."""
        try:
            return self.status().st_size
        except OSError:
            return 0

    def open(self) -> "BinaryIO | None":
        """Opens it; None where this user has no file there."""
        try:
            return open(self.folder.open(self.name), "rb", buffering=0)
        except OSError:
            return None


def found(base: Any, files: "list[list[str]]") -> "dict[str, Place]":
    """Returns the place of each existing file, by its path."""
    if not isinstance(base, OpenFolder):
        return {}
    return {
        path: Place(folder, name, label or short_name(name))
        for pattern, label in files
        for path, folder, name in base.matching(pattern)
    }


def shares(files: "dict[str, Place]", room: int) -> "dict[str, int]":
    """Returns the bytes of `room` for each file: longer files get the part that a short file does not need."""
    sizes = sorted((place.size(), path) for path, place in files.items())
    rooms = {}
    for number, (size, path) in enumerate(sizes):
        rooms[path] = room // (len(sizes) - number)
        room -= min(size, rooms[path])
    return rooms


def short_name(name: str) -> str:
    """Returns worker 1648 out, nccl 1648; for any other file its name."""
    long = LONG_NAMES.match(name)
    return " ".join(filter(None, long.groups())) if long else name


class Tails:
    def __init__(self, lines: int) -> None:
        self.lines = lines
        self.rooms: dict[str, int] = {}
        self.open: dict[str, Tail] = {}

    def look(self, files: "dict[str, Place]", last: bool = False) -> None:
        """Prints the new lines in `files`. Files of the first call print some last lines, newer files print
        all."""
        if self.lines >= 0:
            self.rooms = shares(files, ROOM + self.lines * ROOM_OF_LINE)
        for path, tail in list(self.open.items()):
            if path not in files or tail.replaced(files[path]):
                self.open.pop(path).say_all()
        for path, place in files.items():
            new = self.open.get(path) or self.begin(path, place)
            if new:
                new.say_all() if last else new.say_news()
        self.lines = -1
        sys.stdout.flush()

    def begin(self, path: str, place: Place) -> "Tail | None":
        file = place.open()
        if file is None:
            return None
        if self.lines >= 0:
            rewind(file, self.lines, self.rooms[path])
        self.open[path] = Tail(place, file)
        return self.open[path]


class Owner:
    """The reader of the output; it is alive as long as stdin brings its heartbeat."""

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self.heard = time.monotonic()

    def parted(self) -> bool:
        """Waits for a short time; returns whether the reader has left."""
        if select.select([0], [], [], PAUSE)[0]:
            if not os.read(0, BLOCK):
                return True
            self.heard = time.monotonic()
        return time.monotonic() - self.heard > self.silence


def main() -> None:
    data = payload()
    base = user_folder(data["state"], data["folder"])
    stranger, files = in_the_way(base, "ray", "vllm"), found(base, data["files"])
    taken = {"taken": stranger.told(), "uid": os.getuid()} if stranger else {}
    print(json.dumps({"files": sum(place.is_ours() for place in files.values()), **taken}))
    tails = Tails(data["lines"])
    tails.look(files, last=not data["follow"])
    owner = Owner(data["silence"])
    while data["follow"] and not owner.parted():
        tails.look(found(user_folder(data["state"], data["folder"]), data["files"]))


main()
