"""The one way to a private folder on a host. It is opened step by step, never through a link, and its owner is
checked on the descriptor. All work in the folder uses that descriptor.

These folders lie where any user of the host may create the same name, and swap it at any moment.
"""

import errno
import fnmatch
import grp
import os
import pwd
import stat
from typing import Any, Iterator, NamedTuple, Union

#: Finds what has a name and opens nothing: it follows no link, waits for no pipe and wakes no device.
LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
#: What the shared folder and ours in it are called; one below these goes by its own name.
LEVELS = ("parent", "user", "cluster")

#: Another program of ours may remove an empty folder before there is anything in it.
TRIES = 50


class Absent(NamedTuple):
    """Nothing has this path."""

    path: str


class NotOurs(NamedTuple):
    """The object at this path is not a private folder: its `kind`, its owner, and which folder it should be."""

    path: str
    kind: str
    owner: str
    level: str

    def told(self) -> "dict[str, Any]":
        """For the operator's program."""
        return {"level": self.level, "kind": self.kind, "owner": self.owner}

    def words(self) -> str:
        return f"{self.path} {OBJECTIONS[self.kind].format(self.owner)}"


#: Why something is not a private folder, by kind, with whoever owns it.
OBJECTIONS = {
    "link": "is a symbolic link of {}",
    "no folder": "is not a folder, and belongs to {}",
    "owner": "belongs to another user, {}",
    "writable": "may be written by other users",
}


class NotPlain(OSError):
    """The object with the name of a file is not a private plain file. It is a link, a pipe, a device, a file of
    another user, or a file with a second name."""


class OpenFolder:
    """An open folder: a private one, or the shared one above it."""

    def __init__(self, path: str, file: int, parent: "OpenFolder | None" = None) -> None:
        self.path = path
        self.file = file
        self.parent = parent
        mode = os.fstat(file).st_mode
        #: Nobody else gets to what lies in here, whatever its own mode. Ray opens its folder to everybody.
        self.sheltered: bool = parent is not None and (parent.sheltered or not mode & 0o011)

    def __del__(self) -> None:
        os.close(self.file)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def real_path(self) -> str:
        """The path as other processes see it that have it open."""
        return os.readlink(f"/proc/self/fd/{self.file}")

    def folder(self, name: str, any_mode: bool = False) -> "Found":
        """The folder of this name; with `any_mode` also one that others may write in."""
        return self._open(name, any_mode or self.sheltered)

    def make(self, name: str) -> "OpenFolder":
        """The folder of this name for us alone, made where there is none. Raises SystemExit where it is not."""
        try:
            os.mkdir(name, 0o700, dir_fd=self.file)
        except FileExistsError:
            pass
        folder = self._open(name, True)
        if isinstance(folder, Absent):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder.path)
        if isinstance(folder, NotOurs):
            raise SystemExit(folder.words())
        # One that is private already may lie on a disk that has become read-only.
        if stat.S_IMODE(os.fstat(folder.file).st_mode) != 0o700:
            os.fchmod(folder.file, 0o700)
        return folder

    def _open(self, name: str, any_mode: bool) -> "Found":
        path = os.path.join(self.path, name)
        try:
            look = os.open(name, LOOK, dir_fd=self.file)
        except FileNotFoundError:
            return Absent(path)
        try:
            status = os.fstat(look)
            kind = objection(status, any_mode)
            if kind:
                return NotOurs(path, kind, user_name(status.st_uid), [*LEVELS, name][min(self.depth() + 1, 3)])
            return OpenFolder(path, os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=look), self)
        finally:
            os.close(look)

    def depth(self) -> int:
        return self.parent.depth() + 1 if self.parent else 0

    def names(self) -> "list[str]":
        return sorted(os.listdir(self.file))

    def status(self, name: str) -> os.stat_result:
        """The status of the name itself: a link is not followed."""
        return os.stat(name, dir_fd=self.file, follow_symlinks=False)

    def has(self, name: str) -> bool:
        try:
            return bool(self.status(name))
        except OSError:
            return False

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Opens this user's plain file of this name. Raises NotPlain for anything else."""
        path = os.path.join(self.path, name)
        look = self._named(name, LOOK)
        try:
            if not is_plain(os.fstat(look)):
                raise NotPlain(errno.EPERM, "is not a plain file of this user", path)
            try:
                return os.open(f"/proc/self/fd/{look}", flags | os.O_CLOEXEC)
            except OSError as problem:
                problem.filename = path
                raise
        finally:
            os.close(look)

    def create(self, name: str, flags: int = os.O_WRONLY) -> int:
        """Makes a file that only we can read. Raises FileExistsError where anything has this name."""
        return self._named(name, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)

    def _named(self, name: str, flags: int) -> int:
        """An error names the whole path."""
        try:
            return os.open(name, flags, 0o600, dir_fd=self.file)
        except OSError as problem:
            problem.filename = os.path.join(self.path, name)
            raise

    def read(self, name: str, most: int = 1 << 20) -> bytes:
        """Reads at most this number of bytes from the start of a plain file of this user."""
        with open(self.open(name), "rb") as file:
            return file.read(most)

    def rename(self, old: str, new: str) -> None:
        try:
            os.replace(old, new, src_dir_fd=self.file, dst_dir_fd=self.file)
        except OSError as problem:
            problem.filename, problem.filename2 = os.path.join(self.path, new), None
            raise

    def unlink(self, name: str) -> None:
        """Takes away the name; what a link leads to stays."""
        os.unlink(name, dir_fd=self.file)

    def discard(self, name: str) -> None:
        """Removes a file, if it is there and can be removed."""
        try:
            self.unlink(name)
        except OSError:
            pass

    def remove_if_empty(self, name: str) -> None:
        try:
            os.rmdir(name, dir_fd=self.file)
        except OSError:
            pass

    def leave(self) -> None:
        """Removes this folder and those above it that are ours, as far as they are empty."""
        if self.parent:
            self.parent.remove_if_empty(self.name)
            self.parent.leave()

    def matching(self, pattern: str) -> "Iterator[tuple[str, OpenFolder, str]]":
        """What fits the pattern below here: its name from here, the folder that it lies in, and its name there."""
        first, _, rest = pattern.partition("/")
        for name in self.names():
            if not fnmatch.fnmatchcase(name, first) or name.startswith(".") > first.startswith("."):
                continue
            if not rest:
                yield name, self, name
                continue
            inner = self.beside(name)
            for below, folder, last in inner.matching(rest) if isinstance(inner, OpenFolder) else ():
                yield f"{name}/{below}", folder, last

    def beside(self, name: str) -> "Found":
        """The folder of this name. Ray's link to its last session names one beside it: that name is taken, and the
        link is not followed."""
        try:
            name = os.path.basename(os.readlink(name, dir_fd=self.file))
        except OSError:
            pass
        return self.folder(name)


Found = Union[OpenFolder, Absent, NotOurs]


def objection(status: os.stat_result, any_mode: bool) -> str:
    """The kind of object where it is not a private folder; empty where it is one."""
    if stat.S_ISLNK(status.st_mode):
        return "link"
    if not stat.S_ISDIR(status.st_mode):
        return "no folder"
    if status.st_uid != os.getuid():
        return "owner"
    return "writable" if status.st_mode & 0o022 and not any_mode else ""


def is_plain(status: os.stat_result) -> bool:
    """Whether it is a file of this user with one name only: a second name could lie anywhere."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and status.st_nlink == 1


def user_name(user: int) -> str:
    try:
        return f"user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user id {user}"


def shared_folder(root: str) -> Found:
    """The folder that private folders lie in: only root and this user may remove this user's entries there."""
    try:
        file = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return Absent(root)
    folder = OpenFolder(root, file)
    status = os.fstat(file)
    if status.st_uid not in (0, os.getuid()):
        return NotOurs(root, "owner", user_name(status.st_uid), LEVELS[0])
    if others_may_write(status) and not status.st_mode & stat.S_ISVTX:
        return NotOurs(root, "writable", user_name(status.st_uid), LEVELS[0])
    return folder


def others_may_write(status: os.stat_result) -> bool:
    """Whether other users may write. A group of this user alone, as many systems create for each user, does not
    count."""
    if status.st_mode & 0o002 or not status.st_mode & 0o020:
        return bool(status.st_mode & 0o002)
    try:
        group, name = grp.getgrgid(status.st_gid), pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return True
    return group.gr_name != name or not set(group.gr_mem) <= {name}


def opened(root: str, *names: str) -> Found:
    """The folder of these names below the shared one."""
    folder = shared_folder(root)
    for name in names:
        folder = inside(folder, name)
    return folder


def made(root: str, *names: str) -> OpenFolder:
    """The same, made where there is none. Raises SystemExit where anything on the way is not ours alone."""
    os.makedirs(root, 0o755, exist_ok=True)
    for _ in range(TRIES):
        try:
            return _made(root, *names)
        except FileNotFoundError as problem:
            missing = problem
    raise missing


def _made(root: str, *names: str) -> OpenFolder:
    folder = shared_folder(root)
    if isinstance(folder, NotOurs):
        raise SystemExit(folder.words())
    if isinstance(folder, Absent):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), root)
    for name in names:
        folder = folder.make(name)
    return folder


def in_the_way(folder: Found, *units: str) -> "NotOurs | None":
    """The object at the path of a private folder, or of one of these folders in it, that is not private."""
    folders = [folder, *(inside(folder, unit) for unit in units)]
    return next((each for each in folders if isinstance(each, NotOurs)), None)


def own_name() -> str:
    return f"o-{os.getuid()}"


def user_folder(root: str, *names: str) -> Found:
    """That of this user, with the clusters in it; or the folder of these names below it."""
    return opened(root, own_name(), *names)


def path_of(root: str, name: str) -> str:
    """The path of this cluster's folder, as units are launched with it, whether or not it exists."""
    return os.path.join(root, own_name(), name)


def inside(folder: Found, name: str) -> Found:
    """The folder of this name in one that may not be ours, or not be there."""
    if isinstance(folder, Absent):
        return Absent(os.path.join(folder.path, name))
    return folder.folder(name) if isinstance(folder, OpenFolder) else folder


def split(path: str, names: int) -> "tuple[Any, ...]":
    """The shared folder, and the names below it."""
    root, *rest = os.path.normpath(path).rsplit("/", names)
    return (root or "/", *rest)


def cluster_folder(path: str) -> Found:
    return opened(*split(path, 2))


def unit_folder(path: str) -> Found:
    return opened(*split(path, 3))
