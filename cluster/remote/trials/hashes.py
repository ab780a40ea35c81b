"""SHA-256 of files, several at a time.

Data: folder, names. Prints one line of JSON: hashes by name; for an unreadable file, the host's reason.
"""

import hashlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.common.exit_on_disconnect import end_with_the_operator
    from cluster.remote.common.processes import payload

BLOCK = 8 << 20
#: More would only make a disk seek; hashing itself needs a core for each.
AT_ONCE = 16


def digest(path: str) -> str:
    sha256 = hashlib.sha256()
    block = bytearray(BLOCK)
    try:
        with open(path, "rb", buffering=0) as file:
            while True:
                size = file.readinto(block)
                if not size:
                    return sha256.hexdigest()
                sha256.update(memoryview(block)[:size])
    except OSError as problem:
        return f"cannot be read: {problem.strerror}"


def main() -> None:
    data = payload()
    end_with_the_operator()
    names = data["names"]
    with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool:
        digests = pool.map(lambda name: digest(os.path.join(data["folder"], name)), names)
        print(json.dumps({"hashes": dict(zip(names, digests))}), flush=True)
    sys.stdout.flush()
    os._exit(0)


main()
