"""The token that Ray's processes of one cluster know each other by, in a file of ours that only we can read.

Data: path, token (empty: keep the one there is, or make one). Says the token, on stdout, which nobody records.
"""

import json
import os
import secrets
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.common.files import secure_folder, write_private
    from cluster.remote.common.processes import payload


def main() -> None:
    data = payload()
    path, token = data["path"], data["token"]
    secure_folder(os.path.dirname(path))
    if not token and os.path.exists(path):
        with open(path) as file:
            token = file.read().strip()
    token = token or secrets.token_hex(32)
    write_private(path, token)
    print(json.dumps({"token": token}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'token'}: {problem.strerror}")
