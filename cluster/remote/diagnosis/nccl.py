"""The lines about the network in the ranks' NCCL logs, of the launch with the running Ray or vLLM.

Data: state (the folder with the logs).
"""

import json
import re
from typing import TYPE_CHECKING, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import OpenFolder, cluster_folder
    from cluster.remote.common.processes import payload, processes

#: Bytes of a line that never ends.
LONGEST_LINE = 1 << 16
SIGN = re.compile(r"Using network|NET/(IB|Socket) ?:|via NET/")


def lines(state: "OpenFolder") -> Iterator[str]:
    """Yields the lines of running processes: the log of an earlier rank shows nothing about this launch."""
    alive = processes()
    for name, _, _ in state.matching("nccl.*.log"):
        pid = name.rsplit(".", 2)[1]
        if pid.isdigit() and int(pid) in alive:
            yield from said(state, name)


def said(state: "OpenFolder", name: str) -> Iterator[str]:
    try:
        with open(state.open(name), errors="replace") as file:
            pieces = iter(lambda: file.readline(LONGEST_LINE), "")
            yield from (line.rstrip() for line in pieces if SIGN.search(line))
    except OSError:
        return


def main() -> None:
    state = cluster_folder(payload()["state"])
    unique = dict.fromkeys(lines(state) if isinstance(state, OpenFolder) else ())
    print(json.dumps({"lines": list(unique)[:200]}))


main()
