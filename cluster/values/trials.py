"""Results that only a trial on the hosts can show. All are frozen."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, field_validator

from cluster.values.base import Fact
from cluster.values.findings import NcclTransport


class RankReduced(Fact):
    """The result of one rank: the `seconds` of one all-reduce of `bytes`, or the `problem`."""

    rank: int
    backend: str = ""
    bytes: int = 0
    seconds: float = 0.0
    problem: str = ""

    @property
    def well(self) -> bool:
        return not self.problem and self.seconds > 0


class HostReduced(Fact):
    """The results of the ranks of one host, and NCCL's log lines about the network."""

    ranks: Annotated[tuple[RankReduced, ...], Field(min_length=1)]
    network: tuple[str, ...]


@dataclass(frozen=True)
class AllReduceResult:
    """The result of the all-reduce.

    `gb_per_second` is the bus bandwidth as nccl-tests count it, in 10^9 bytes, or None where the test did not end.
    `problems` are pairs of a host and the reason why its ranks did not end.
    """

    ranks: int
    backend: str = ""
    gb_per_second: float | None = None
    transport: NcclTransport = field(default_factory=lambda: NcclTransport("unknown"))
    problems: tuple[tuple[str, str], ...] = ()


class Reach(Fact):
    """One attempt to connect from a host to `peer`. `problem` is empty where it succeeded."""

    peer: str
    address: str
    port: int
    problem: str


class OpenPort(Fact):
    """A socket of our processes that listens for other hosts too: at one `address`, or at all addresses where that
    is unspecified.

    `name` is that of the process, as the kernel has it.
    """

    port: int
    address: str
    name: str

    def is_reached_at(self, address: str) -> bool:
        """Returns whether a connection to this address of the host reaches the socket.

        A socket on all of IPv4 does not listen on IPv6.
        """
        own, other = ipaddress.ip_address(self.address), ipaddress.ip_address(address)
        if own.is_unspecified:
            return own.version == 6 or other.version == 4
        return own == other

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        return str(ipaddress.ip_address(address))


class VenvCheck(Fact):
    """The results of the venv's own libraries on a host: each is the failure, or empty.

    `cuda` None: the installed vLLM is the build for CPUs. `model` None: there was no model for them to read.
    """

    cuda: str | None
    model: str | None
