"""The clocks of this host's GPUs at this moment.

Data: none. Prints one line of JSON: clocks, by uuid the present and the highest clock of the multiprocessors in
MHz. It is empty where nvidia-smi does not report them.
"""

import json
import subprocess

QUERY = "uuid,clocks.sm,clocks.max.sm"
LONGEST = 10


def clocks() -> "dict[str, list[int]]":
    argv = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    rows = [[word.strip() for word in line.split(",")] for line in done.stdout.splitlines()]
    return {row[0]: [int(row[1]), int(row[2])] for row in rows if len(row) == 3 and (row[1] + row[2]).isdigit()}


print(json.dumps({"clocks": clocks()}))
