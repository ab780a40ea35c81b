"""The TCP sockets of this host's network, from the kernel's own tables."""

from typing import Iterator, NamedTuple

#: The states by their numbers in the tables.
TCP_STATES = {
    "01": "ESTABLISHED", "02": "SYN_SENT", "03": "SYN_RECV", "04": "FIN_WAIT1", "05": "FIN_WAIT2",
    "06": "TIME_WAIT", "07": "CLOSE", "08": "CLOSE_WAIT", "09": "LAST_ACK", "0A": "LISTEN", "0B": "CLOSING",
}  # fmt: skip


class TcpSocket(NamedTuple):
    """One row. `local` and `remote` are address and port in the table's digits, the queues are in bytes."""

    inode: str
    state: str
    local: str
    remote: str
    to_send: int
    to_read: int
    user: int


def tcp_sockets() -> "Iterator[TcpSocket]":
    """Yields every socket, those of IPv4 first."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            to_send, to_read = (int(digits, 16) for digits in row[4].split(":"))
            state = TCP_STATES.get(row[3], row[3])
            yield TcpSocket(row[9], state, row[1], row[2], to_send, to_read, int(row[7]))
