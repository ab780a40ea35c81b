"""Removes what a stopped cluster leaves: everything in its folder but the compile caches, and empty parents.

Data: state. A folder whose unit is still alive is left alone.
"""

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.processes import payload, processes, unit_pids


def remove_if_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass


def main() -> None:
    state = payload()["state"]
    table = processes()
    for name in os.listdir(state) if os.path.isdir(state) else []:
        path = os.path.join(state, name)
        if name == "cache" or unit_pids(path, table):
            continue
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    remove_if_empty(os.path.join(state, "cache"))
    remove_if_empty(state)
    remove_if_empty(os.path.dirname(state))


main()
