"""Names of clusters and hosts in files of this machine. A shell completes words with them.

Each is a name that an inventory may have. A file can hold any text, and a shell would run some of it.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

CLUSTER = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# A parser of YAML costs a third of what a key press may cost.
_COMMENT = re.compile(r"(?:^|\s)#.*", re.MULTILINE)
_HOSTS = re.compile(r"^hosts:(.*?)(?=^[^\s-]|\Z)", re.MULTILINE | re.DOTALL)
_NAME = re.compile(rf"""(?<![\w$])["']?name["']?:\s+["']?({HOST.pattern})["']?\s*(?=[,}}\n]|\Z)""")
#: Bytes of an inventory with hundreds of hosts. A larger one would keep the operator waiting.
_LARGEST = 64 * 1024


def cluster_names(state: Path) -> list[str]:
    from orchestrator.local import last_inventory

    return [name for name in last_inventory.clusters(state) if CLUSTER.fullmatch(name)]


def remembered_host_names(state: Path, cluster: str | None) -> list[str]:
    """Returns the hosts of the inventory last used, of `cluster` where that is given."""
    from cluster.errors import UsageError
    from orchestrator.local import last_inventory

    try:
        return host_names(last_inventory.recall(state, cluster)[0])
    except UsageError:
        return []


def host_names(inventory: Path) -> list[str]:
    """Returns the hosts of an inventory; none for a file that is not one."""
    try:
        text = _COMMENT.sub("", _text(inventory))
    except (OSError, ValueError):
        return []
    section = _HOSTS.search(text)
    return _NAME.findall(section[1]) if section else []


def _text(path: Path) -> str:
    """Returns the text of a plain file: nothing else is opened for long. Raises OSError or ValueError."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ValueError(f"{path} is not an inventory")
        return os.read(file, _LARGEST).decode()
    finally:
        os.close(file)
