"""What the ranks' NCCL says of the network."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.engine.nccl import lines, transport
from cluster.values import NcclTransport
from tests.cluster.builders import STATE
from tests.cluster.launch.test_unit import sent

PLUGIN_IB = "gpu-a:7:9 [0] NCCL INFO Using network IB"
PLUGIN_SOCKET = "gpu-a:7:9 [0] NCCL INFO Using network Socket"
GDR = "gpu-a:7:9 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA"
IB = "gpu-a:7:9 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0"
HPCX = "gpu-a:7:9 [0] NCCL INFO Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IBext_v10/1/GDRDMA"
SOCKET = "gpu-a:7:9 [0] NCCL INFO Channel 00/0 : 1[0] -> 0[0] [receive] via NET/Socket/0"


@pytest.mark.parametrize(
    ("said", "kind", "evidence"),
    [
        ((), "unknown", ""),
        (("gpu-a:7:9 [0] NCCL INFO Bootstrap: Using eth0",), "unknown", ""),
        ((PLUGIN_IB,), "NET/IB", "Using network IB"),
        ((PLUGIN_IB, GDR), "NET/IB/GDRDMA", GDR.partition("INFO ")[2]),
        ((PLUGIN_IB, IB), "NET/IB", "Using network IB"),
        ((HPCX,), "NET/IB/GDRDMA", HPCX.partition("INFO ")[2]),
        ((PLUGIN_SOCKET, SOCKET), "NET/Socket", "Using network Socket"),
        (("no prefix: via NET/Socket/0 ",), "NET/Socket", "no prefix: via NET/Socket/0"),
    ],
)
def test_the_transport_that_was_chosen(said: tuple[str, ...], kind: str, evidence: str) -> None:
    found = transport(said)
    assert (found.kind, found.evidence) == (kind, evidence)


@settings(max_examples=30)
@given(st.lists(st.text() | st.sampled_from([GDR, IB, SOCKET])))
def test_arbitrary_lines_never_fail(said: list[str]) -> None:
    assert isinstance(transport(tuple(said)), NcclTransport)


def test_the_probe() -> None:
    probe = lines(STATE, "/opt/vllm")
    assert sent(probe.command) == {"state": STATE}
    assert probe.parse('{"lines": ["a", "b"]}') == ("a", "b")
