"""Removes the files of a stopped cluster.

It removes everything in its folder but the compile caches and the lease (its holder removes it). It also removes
unused reservations of ports, and empty parents.

Data: state. The folder of a running unit is left alone. A file that cannot be removed does not stop the rest: it
is named on stderr, one on a line, and the program fails.
"""

import os
import sys
from typing import TYPE_CHECKING, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder, inside, opened, split
    from cluster.remote.common.port_reservations import remove_claims
    from cluster.remote.common.processes import payload, processes
    from cluster.remote.common.remove_tree import remove
    from cluster.remote.common.unit_processes import unit_pids


def stays(state: "OpenFolder") -> "Iterator[str]":
    """Yields a line for each name in the cluster's folder that could not be removed, with the first reason."""
    table = processes()
    for name in state.names():
        if name not in ("cache", "lease") and not unit_pids(state.folder(name), table):
            problems = list(remove(state, name))
            if problems:
                yield f"{os.path.join(state.path, name)}: {problems[0]}"


def main() -> None:
    root, user, cluster = split(payload()["state"], 2)
    ours = opened(root, user)
    state = inside(ours, cluster)
    if isinstance(state, NotOurs):
        raise SystemExit(state.words())
    named = list(stays(state)) if isinstance(state, OpenFolder) else []
    if isinstance(state, OpenFolder):
        state.remove_if_empty("cache")
    if isinstance(ours, OpenFolder):
        remove_claims(ours)
        ours.remove_if_empty(cluster)
        ours.leave()
    if named:
        sys.exit("\n".join(named))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'sweep'}: {problem.strerror}")
