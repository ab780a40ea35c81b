"""Names, routes, links and proxies between the hosts."""

from __future__ import annotations

from cluster.values.base import Fact


class RdmaPort(Fact):
    """One port of an RDMA device, in the kernel's own words (`ACTIVE`, `LinkUp`, `400 Gb/sec (4X NDR)`,
    `InfiniBand` or `Ethernet`); a word is empty where it cannot be read.

    `roce_gids` are the indices of its GIDs that are RoCE v2 over IPv4.
    """

    device: str
    port: int
    state: str
    physical: str
    rate: str
    layer: str
    roce_gids: tuple[int, ...]

    @property
    def active(self) -> bool:
        return self.state == "ACTIVE"


class Links(Fact):
    """Names, routes, links and proxies between the hosts.

    `resolved`: what the host's own name resolves to, None where that took too long. `sources`: by peer, our
    address on the way to its cluster address, empty where there is no way. `mtu`: of the interface with our own.
    `environment`: variables of the session that have a say in it; of proxies only that they are set.
    `peer_memory`: whether the kernel lets the network reach GPU memory, None where it does not say.
    """

    resolved: tuple[str, ...] | None
    sources: dict[str, str]
    mtu: int | None
    environment: dict[str, str]
    rdma: tuple[RdmaPort, ...]
    peer_memory: bool | None
