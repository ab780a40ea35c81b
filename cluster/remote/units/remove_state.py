"""Removes what a stopped cluster leaves: everything in its folder but the compile caches and the lease (whoever
holds it removes it), claims of ports that nobody has, and empty parents.

Data: state. A folder whose unit is still alive is left alone. What cannot be removed does not keep the rest: it is
named on stderr, a line each, and makes the program fail.
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
    """A line for each name in the folder of the cluster that could not be removed, with the first reason."""
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
