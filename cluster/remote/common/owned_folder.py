"""The only way to a folder of the cluster on a host. It is opened step by step, never through a link, and its
owner is checked on the descriptor.

All work in the folder uses that descriptor. Any user of the host may create something under the same name, and
replace it at any moment.
"""

import errno
import fnmatch
import grp
import os
import pwd
import stat
from typing import Any, Iterator, NamedTuple, Union

#: Finds a name without opening it: it follows no link, waits for no pipe and wakes no device.
LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
#: The names of the shared folder and of the user's folder in it; a folder below these has its own name.
LEVELS = ("parent", "user", "cluster")

#: Another program of this user may remove an empty folder before it gets a first file.
TRIES = 50


class Absent(NamedTuple):
    """Nothing has this path."""

    path: str


class NotOurs(NamedTuple):
    """The path does not belong to a private folder of this user.

    It holds the `kind` of the obstacle, its owner, and which folder of the cluster it would be.
    """

    path: str
    kind: str
    owner: str
    level: str

    def told(self) -> "dict[str, Any]":
        """Returns the obstacle for the operator's program."""
        return {"level": self.level, "kind": self.kind, "owner": self.owner}

    def words(self) -> str:
        return f"{self.path} {OBJECTIONS[self.kind].format(self.owner)}"


#: The reason why a folder is not private, by kind, with its owner.
OBJECTIONS = {
    "link": "is a symbolic link of {}",
    "no folder": "is not a folder, and belongs to {}",
    "owner": "belongs to another user, {}",
    "writable": "is writable by other users",
}


class NotPlain(OSError):
    """The name of a file of this user belongs to something else.

    It is a link, a pipe, a device, a file of another user, or a file with a second name.
    """


class OpenFolder:
    """An open folder: one of this user, or the shared one that holds it."""

    def __init__(self, path: str, file: int, parent: "OpenFolder | None" = None) -> None:
        self.path = path
        self.file = file
        self.parent = parent
        mode = os.fstat(file).st_mode
        #: No other user can reach the content of this folder, whatever its own mode. Ray opens its folder to all
        #: users.
        self.sheltered: bool = parent is not None and (parent.sheltered or not mode & 0o011)

    def __del__(self) -> None:
        os.close(self.file)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def real_path(self) -> str:
        """Returns the path as other processes have it that have the folder open."""
        return os.readlink(f"/proc/self/fd/{self.file}")

    def folder(self, name: str, any_mode: bool = False) -> "Found":
        """Returns the folder of this name; `any_mode` also accepts one that other users may write in."""
        return self._open(name, any_mode or self.sheltered)

    def make(self, name: str) -> "OpenFolder":
        """Returns the private folder of this name, created where it is missing. Raises SystemExit where it is not
        private."""
        try:
            os.mkdir(name, 0o700, dir_fd=self.file)
        except FileExistsError:
            pass
        folder = self._open(name, True)
        if isinstance(folder, Absent):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder.path)
        if isinstance(folder, NotOurs):
            raise SystemExit(folder.words())
        # A folder that is already private may lie on a disk that has become read-only.
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
        """Returns the status of the name itself: a link is not followed."""
        return os.stat(name, dir_fd=self.file, follow_symlinks=False)

    def has(self, name: str) -> bool:
        try:
            return bool(self.status(name))
        except OSError:
            return False

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Opens the plain file of this user with this name. Raises NotPlain for anything else."""
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
        """Creates a file that only this user can read. Raises FileExistsError where the name exists."""
        return self._named(name, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)

    def _named(self, name: str, flags: int) -> int:
        """Opens a name; an error then holds the whole path."""
        try:
            return os.open(name, flags, 0o600, dir_fd=self.file)
        except OSError as problem:
            problem.filename = os.path.join(self.path, name)
            raise

    def read(self, name: str, most: int = 1 << 20) -> bytes:
        """Returns at most so many bytes from the start of a plain file of this user."""
        with open(self.open(name), "rb") as file:
            return file.read(most)

    def rename(self, old: str, new: str) -> None:
        try:
            os.replace(old, new, src_dir_fd=self.file, dst_dir_fd=self.file)
        except OSError as problem:
            problem.filename, problem.filename2 = os.path.join(self.path, new), None
            raise

    def unlink(self, name: str) -> None:
        """Removes the name; the target of a link stays."""
        os.unlink(name, dir_fd=self.file)

    def discard(self, name: str) -> None:
        """Removes a file if it exists and can be removed."""
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
        """Removes this folder and those above it that belong to this user, as far as they are empty."""
        if self.parent:
            self.parent.remove_if_empty(self.name)
            self.parent.leave()

    def matching(self, pattern: str) -> "Iterator[tuple[str, OpenFolder, str]]":
        """Yields the matches of a pattern below this folder: the name from here, the folder of the file, and its
        name there."""
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
        """Returns the folder of this name. Ray's link to its last session names a folder beside it. Only that name
        is used: the link is not followed."""
        try:
            name = os.path.basename(os.readlink(name, dir_fd=self.file))
        except OSError:
            pass
        return self.folder(name)


Found = Union[OpenFolder, Absent, NotOurs]


def objection(status: os.stat_result, any_mode: bool) -> str:
    """Returns the kind of the obstacle where the folder is not private; otherwise an empty text."""
    if stat.S_ISLNK(status.st_mode):
        return "link"
    if not stat.S_ISDIR(status.st_mode):
        return "no folder"
    if status.st_uid != os.getuid():
        return "owner"
    return "writable" if status.st_mode & 0o022 and not any_mode else ""


def is_plain(status: os.stat_result) -> bool:
    """Returns whether it is a file of this user with only one name: a second name could be anywhere."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and status.st_nlink == 1


def user_name(user: int) -> str:
    try:
        return f"user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user id {user}"


def shared_folder(root: str) -> Found:
    """Returns the folder that holds the users' folders: only root and this user may remove this user's folder
    there."""
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
    """Returns whether other users may write. A group with only this user, as many systems make, does not count."""
    if status.st_mode & 0o002 or not status.st_mode & 0o020:
        return bool(status.st_mode & 0o002)
    try:
        group, name = grp.getgrgid(status.st_gid), pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return True
    return group.gr_name != name or not set(group.gr_mem) <= {name}


def opened(root: str, *names: str) -> Found:
    """Returns the folder of these names below the shared one."""
    folder = shared_folder(root)
    for name in names:
        folder = inside(folder, name)
    return folder


def made(root: str, *names: str) -> OpenFolder:
    """Returns the same folder, created where it is missing. Raises SystemExit where a folder on the path is not
    private."""
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
    """Returns the obstacle at the path of this folder, or of one of these folders in it."""
    folders = [folder, *(inside(folder, unit) for unit in units)]
    return next((each for each in folders if isinstance(each, NotOurs)), None)


def own_name() -> str:
    return f"o-{os.getuid()}"


def user_folder(root: str, *names: str) -> Found:
    """Returns this user's folder, which holds the clusters; or the folder of these names below it."""
    return opened(root, own_name(), *names)


def path_of(root: str, name: str) -> str:
    """Returns the path of this cluster's folder, existing or not: programs that are launched there get this
    path."""
    return os.path.join(root, own_name(), name)


def inside(folder: Found, name: str) -> Found:
    """Returns the folder of this name in a folder that may be missing or not private."""
    if isinstance(folder, Absent):
        return Absent(os.path.join(folder.path, name))
    return folder.folder(name) if isinstance(folder, OpenFolder) else folder


def split(path: str, names: int) -> "tuple[Any, ...]":
    """Returns the shared folder, and the names below it."""
    root, *rest = os.path.normpath(path).rsplit("/", names)
    return (root or "/", *rest)


def cluster_folder(path: str) -> Found:
    return opened(*split(path, 2))


def unit_folder(path: str) -> Found:
    return opened(*split(path, 3))
