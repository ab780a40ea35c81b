"""Removes what a stopped cluster leaves: its folder's content, claims of ports without a holder, and empty
parents. Compile caches stay, and so does the lease, which its holder removes.

Data: state. A folder whose unit still runs is left alone. What cannot be removed does not keep the rest: each is
named on a line of stderr, and the program fails.
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
