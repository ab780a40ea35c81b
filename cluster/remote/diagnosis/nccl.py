"""The lines of the ranks' NCCL logs that name the network, of the launch whose Ray or vLLM runs now.

Data: state (the folder with the logs).
"""

import glob
import json
import os
import re
from typing import TYPE_CHECKING, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.processes import payload, processes

SIGN = re.compile(r"Using network|NET/(IB|Socket) ?:|via NET/")


def lines(state: str) -> Iterator[str]:
    """The lines of processes that are alive: a log that a former rank left says nothing of this launch."""
    alive = processes()
    for path in glob.glob(os.path.join(glob.escape(state), "nccl.*.log")):
        pid = path.rsplit(".", 2)[1]
        if pid.isdigit() and int(pid) in alive:
            with open(path, errors="replace") as file:
                yield from (line.rstrip() for line in file if SIGN.search(line))


def main() -> None:
    unique = dict.fromkeys(lines(payload()["state"]))
    print(json.dumps({"lines": list(unique)[:200]}))


main()
