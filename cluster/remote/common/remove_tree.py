"""Removes the content of a folder of this user, and nothing elsewhere."""

import os
import stat
from typing import TYPE_CHECKING, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder

#: The depth of nested folders, each of which is held open: no program of the cluster makes nearly as many.
DEEPEST = 200


def remove(folder: "OpenFolder", name: str, depth: int = 0) -> "Iterator[str]":
    """Yields the reasons why files stay.

    A link or a pipe loses only its name. A folder of another user, or on another disk, is not entered.
    """
    try:
        if not stat.S_ISDIR(folder.status(name).st_mode):
            folder.unlink(name)
            return
        inner = folder.folder(name, any_mode=True)
        if isinstance(inner, OpenFolder) and is_same_disk(inner, folder) and depth < DEEPEST:
            for below in inner.names():
                yield from remove(inner, below, depth + 1)
        elif isinstance(inner, NotOurs) and inner.kind == "owner":
            yield inner.words()
            return
        os.rmdir(name, dir_fd=folder.file)
    except FileNotFoundError:
        pass
    except OSError as problem:
        yield str(problem.strerror)


def is_same_disk(one: "OpenFolder", other: "OpenFolder") -> bool:
    return os.fstat(one.file).st_dev == os.fstat(other.file).st_dev
