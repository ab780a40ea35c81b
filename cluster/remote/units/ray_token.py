"""The token by which Ray's processes of one cluster know each other, in a file that only this user can read.

Data: path, token (empty: keep the existing one, or make one). Prints the token on stdout, which is never recorded.
"""

import json
import secrets
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.common.files import write_private
    from cluster.remote.common.owned_folder import OpenFolder, made, split
    from cluster.remote.common.processes import payload

LONGEST_TOKEN = 4096


def kept(folder: "OpenFolder", name: str) -> str:
    """Returns the existing token. A file that is not a plain file of this user is replaced."""
    try:
        return folder.read(name, LONGEST_TOKEN).decode().strip()
    except (OSError, ValueError):
        return ""


def main() -> None:
    data = payload()
    *names, file = split(data["path"], 3)
    folder = made(*names)
    token = data["token"] or kept(folder, file) or secrets.token_hex(32)
    write_private(folder, file, token)
    print(json.dumps({"token": token}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'token'}: {problem.strerror}")
