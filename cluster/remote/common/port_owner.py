"""The other users that listen on a port of a unit on this host."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import unit_folder, user_name
    from cluster.remote.common.processes import links, processes
    from cluster.remote.common.tcp import tcp_sockets
    from cluster.remote.common.unit_processes import unit_pids


def strangers(port: int, folder: str) -> "list[str]":
    """Returns the users that listen on this port, on any address, with sockets outside the unit in `folder`."""
    rows = [each for each in tcp_sockets() if each.state == "LISTEN"]
    listening = {each.inode: each.user for each in rows if int(each.local.rpartition(":")[2], 16) == port}
    held = {link for pid in unit_pids(unit_folder(folder), processes()) for link, _ in links(f"/proc/{pid}/fd")}
    return sorted({user_name(uid) for inode, uid in listening.items() if f"socket:[{inode}]" not in held})
