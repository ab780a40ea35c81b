"""What the second step brings: things that only trying them can show. Frozen."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, field_validator

from cluster.values.base import Fact
from cluster.values.findings import NcclTransport


class RankReduced(Fact):
    """What became of one rank: `seconds` of one all-reduce of `bytes`, or the `problem`."""

    rank: int
    backend: str = ""
    bytes: int = 0
    seconds: float = 0.0
    problem: str = ""

    @property
    def well(self) -> bool:
        return not self.problem and self.seconds > 0


class HostReduced(Fact):
    """What the ranks of one host said, and what NCCL said of the network."""

    ranks: Annotated[tuple[RankReduced, ...], Field(min_length=1)]
    network: tuple[str, ...]


@dataclass(frozen=True)
class AllReduceResult:
    """`gb_per_second` is the bus bandwidth as nccl-tests count it, in 10^9 bytes; None where it came to no end.

    `problems` are pairs of a host and what kept its ranks from the end.
    """

    ranks: int
    backend: str = ""
    gb_per_second: float | None = None
    transport: NcclTransport = field(default_factory=lambda: NcclTransport("unknown"))
    problems: tuple[tuple[str, str], ...] = ()


class Reach(Fact):
    """One try to connect from a host to `peer`; `problem` is empty where it went well."""

    peer: str
    address: str
    port: int
    problem: str


class OpenPort(Fact):
    """A socket of ours that listens for more than its own host: at one `address`, or at all where that is
    unspecified. `name` is that of the process, as the kernel has it."""

    port: int
    address: str
    name: str

    def is_reached_at(self, address: str) -> bool:
        """Whether who reaches this address of the host reaches the socket. One on all of IPv4 is not on IPv6."""
        own, other = ipaddress.ip_address(self.address), ipaddress.ip_address(address)
        if own.is_unspecified:
            return own.version == 6 or other.version == 4
        return own == other

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        return str(ipaddress.ip_address(address))


class VenvCheck(Fact):
    """What the venv's own libraries could do on a host: what went wrong, empty where nothing did.

    `cuda` None: the installed vLLM is the build for CPUs. `model` None: there was none that they would read.
    """

    cuda: str | None
    model: str | None
