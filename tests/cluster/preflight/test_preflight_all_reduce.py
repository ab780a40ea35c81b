"""What an all-run an all-reduce over all GPUs makes a person see."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.inventory import Inventory
from cluster.preflight.all_reduce import CHECKS
from cluster.preflight.check import Evidence
from cluster.values import AllReduceResult, NcclTransport
from tests.cluster.builders import inventory, seen

FAST = NcclTransport("NET/IB/GDRDMA", "Channel 00/0 : 7[7] -> 8[0] [send] via NET/IB/0/GDRDMA")
SLOW = NcclTransport("NET/Socket", "Using network Socket")


def findings(
    fabric: AllReduceResult | None, one: Inventory | None = None, **written: Any
) -> list[tuple[str, str, str]]:
    one = one or inventory(**written)
    evidence = Evidence(seen(one), fabric=fabric)
    return [(each.severity, each.host, each.found) for check in CHECKS for each in check.run(one, evidence)]


def test_what_was_not_tried_or_is_well_is_no_finding() -> None:
    assert findings(None) == []
    assert (
        findings(AllReduceResult(16, "nccl", 180.0, FAST), preflight={"fabric": {"min_gb_per_second": 20}}) == []
    )
    assert findings(AllReduceResult(4, "gloo", 0.1, NcclTransport("gloo"))) == []


def test_a_host_whose_ranks_came_to_no_end_forbids_a_start() -> None:
    fabric = AllReduceResult(16, problems=(("gpu-b", "rank 8, 9: Connection refused"),))
    assert findings(fabric) == [("blocking", "gpu-b", "rank 8, 9: Connection refused")]


def test_too_slow_forbids_only_where_a_floor_is_written() -> None:
    slow = AllReduceResult(16, "nccl", 3.21, FAST)
    assert findings(slow) == []
    assert findings(slow, preflight={"fabric": {"min_gb_per_second": 20}}) == [
        ("blocking", "", "3.21 GB/s over 16 ranks")
    ]


def test_one_gpu_alone_has_no_bandwidth() -> None:
    alone = AllReduceResult(1, "nccl", 0.0)
    assert findings(alone, inventory(1, 1, preflight={"fabric": {"min_gb_per_second": 20}})) == []


@pytest.mark.parametrize(("refused", "severity"), [(False, "warning"), (True, "blocking")])
def test_sockets_between_hosts_are_a_warning_unless_refused(refused: bool, severity: str) -> None:
    plain = AllReduceResult(16, "nccl", 2.0, SLOW)
    expected = [(severity, "", "NET/Socket, 2 GB/s: Using network Socket")]
    assert findings(plain, serve={"refuse_socket_transport": refused}) == expected
    assert findings(plain, inventory(1, 8)) == []
