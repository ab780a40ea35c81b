"""Removes what a stopped cluster leaves: everything in its folder but the compile caches and the lease (whoever
holds it removes it), and empty parents.

Data: state. A folder whose unit is still alive is left alone.
"""

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.files import remove_if_empty
    from cluster.remote.processes import payload, processes, unit_pids


def main() -> None:
    state = payload()["state"]
    table = processes()
    for name in os.listdir(state) if os.path.isdir(state) else []:
        path = os.path.join(state, name)
        if name in ("cache", "lease") or unit_pids(path, table):
            continue
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    remove_if_empty(os.path.join(state, "cache"))
    remove_if_empty(state)
    remove_if_empty(os.path.dirname(state))


main()
