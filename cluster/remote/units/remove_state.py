"""Removes what a stopped cluster leaves: everything in its folder but the compile caches and the lease (whoever
holds it removes it), and empty parents.

Data: state. A folder whose unit is still alive is left alone. What cannot be removed does not keep the rest: it is
named on stderr, a line each, and makes the program fail.
"""

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.files import remove_if_empty
    from cluster.remote.common.processes import payload, processes, unit_pids


def remove(path: str) -> "str | None":
    """Why it could not be removed; of a folder, the first of all that stays."""
    problems: list[OSError] = []

    def note(_: Any, name: str, problem: Any) -> None:
        problems.append(problem[1])

    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, onerror=note)
        else:
            os.unlink(path)
    except OSError as problem:
        problems.append(problem)
    return f"{path}: {problems[0].strerror}" if problems and os.path.lexists(path) else None


def main() -> None:
    state = payload()["state"]
    table = processes()
    stays = []
    for name in sorted(os.listdir(state)) if os.path.isdir(state) else []:
        path = os.path.join(state, name)
        if name not in ("cache", "lease") and not unit_pids(path, table):
            stays.append(remove(path))
    remove_if_empty(os.path.join(state, "cache"))
    remove_if_empty(state)
    remove_if_empty(os.path.dirname(state))
    named = [stay for stay in stays if stay]
    if named:
        sys.exit("\n".join(named))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'sweep'}: {problem.strerror}")
