"""NCCL's own report of the transport between the hosts."""

from __future__ import annotations

import re
from typing import Literal

from cluster.command import Probe, last_json, program
from cluster.engine import vllm_log
from cluster.errors import NotReady
from cluster.inventory import Inventory
from cluster.values import NcclTransport
from cluster.values.base import shaped

Kind = Literal["NET/IB/GDRDMA", "NET/IB", "NET/Socket"]

_SIGNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("NET/IB/GDRDMA", re.compile(r"via NET/IB\w*/\S*GDRDMA")),
    ("NET/IB", re.compile(r"via NET/IB|Using network IB")),
    ("NET/Socket", re.compile(r"via NET/Socket\b|Using network Socket")),
)


def lines(state: str, venv: str) -> Probe[tuple[str, ...]]:
    """Reads the lines about the network, of the ranks of this launch on one host."""
    command = program("diagnosis.nccl", {"state": state}, title="read the log of NCCL", venv=venv)
    return Probe(command, lambda output: shaped(tuple[str, ...], last_json(output)["lines"]))


def transport(lines: tuple[str, ...]) -> NcclTransport:
    """Returns the best transport that a channel or the network plugin names: a rank falls back only as a whole."""
    for kind, sign in _SIGNS:
        for line in lines:
            if sign.search(line):
                return NcclTransport(kind, line.partition("NCCL INFO ")[2].strip() or line.strip())
    return NcclTransport("unknown")


def transport_of_engine(lines: tuple[str, ...], engine_log: str) -> NcclTransport:
    """Returns the transport of an engine: gloo where its log shows it, as on CPUs, otherwise the transport of its
    ranks' NCCL."""
    gloo = vllm_log.without_nccl(engine_log)
    return NcclTransport("gloo", gloo) if gloo else transport(lines)


SLOW = "NCCL could use no InfiniBand or RoCE device, so every token waits for TCP"


def refuse_slow(inventory: Inventory, transport: NcclTransport) -> None:
    """Raises NotReady on NET/Socket where the inventory refuses it."""
    if transport.kind == "NET/Socket" and inventory.serve.refuse_socket_transport:
        cure = "check NCCL_IB_HCA, nvidia_peermem and /dev/infiniband on every host"
        raise NotReady(
            "a transport faster than NET/Socket",
            last=transport.evidence,
            cause=SLOW,
            cure=f"{cure}, or set `refuse_socket_transport: false`",
        )
