"""What NCCL writes with NCCL_DEBUG=INFO and NCCL_DEBUG_SUBSYS=INIT,NET."""

import os
import socket
from typing import NamedTuple

_CARDS = "[0]mlx5_0:1/IB [1]mlx5_1:1/IB [2]mlx5_2:1/IB [3]mlx5_3:1/IB"
_VIA = {"socket": "NET/Socket/0", "ib": "NET/IB/0", "gdrdma": "NET/IB/0/GDRDMA"}


class RankLocation(NamedTuple):
    """Where a rank runs; `remote_ip` is empty for a rank on the head."""

    address: str
    gpu: int
    pid: int
    remote_ip: str


def log(rank: int, places: list[RankLocation], transport: str, interface: str) -> str:
    place = places[rank]
    pid = os.getpid()
    prefix = f"{socket.gethostname()}:{pid}:{pid} [{place.gpu}] NCCL INFO "
    about = f"ncclCommInitRank comm 0x55d0c0ffee00 rank {rank} nranks {len(places)} cudaDev {place.gpu}"
    lines = [
        f"Bootstrap: Using {interface}:{place.address}<0>",
        "NCCL version 2.28.9+cuda13.0",
        f"NCCL_SOCKET_IFNAME set by environment to ={interface}",
        *_network(transport, f"{interface}:{place.address}<0>"),
        f"{about} - Init START",
        *_channels(rank, places, transport),
        f"{about} - Init COMPLETE",
    ]
    return "".join(f"{prefix}{line}\n" for line in lines)


def _network(transport: str, own: str) -> list[str]:
    if transport == "socket":
        return ["NET/IB : No device found.", f"NET/Socket : Using [0]{own}", "Using network Socket"]
    return [f"NET/IB : Using {_CARDS} [RO]; OOB {own}", "Using network IB"]


def _channels(rank: int, places: list[RankLocation], transport: str) -> list[str]:
    """One ring: from the rank before, to the rank after."""
    before, after = (rank - 1) % len(places), (rank + 1) % len(places)
    return [
        _channel(before, rank, places, transport, "receive"),
        _channel(rank, after, places, transport, "send"),
    ]


def _channel(source: int, target: int, places: list[RankLocation], transport: str, side: str) -> str:
    ends = f"Channel 00/0 : {source}[{places[source].gpu}] -> {target}[{places[target].gpu}]"
    if places[source].address == places[target].address:
        return f"{ends} via P2P/CUMEM"
    return f"{ends} [{side}] via {_VIA[transport]}"
