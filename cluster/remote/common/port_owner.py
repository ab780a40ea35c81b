"""Who listens on a port of this host beside a unit of ours."""

import pwd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.common.processes import links, processes, unit_pids
    from cluster.remote.common.tcp import tcp_sockets


def strangers(port: int, folder: str) -> "list[str]":
    """The users who listen on this port, on any address, with sockets that nobody of the unit in `folder` has."""
    rows = [each for each in tcp_sockets() if each.state == "LISTEN"]
    listening = {each.inode: each.user for each in rows if int(each.local.rpartition(":")[2], 16) == port}
    held = {link for pid in unit_pids(folder, processes()) for link, _ in links(f"/proc/{pid}/fd")}
    return sorted({user_name(uid) for inode, uid in listening.items() if f"socket:[{inode}]" not in held})


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
