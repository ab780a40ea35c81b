"""The announcement, out of what happened in this run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import SecretStr

from cluster.values import NcclTransport
from orchestrator.events import EndpointVerified, EngineReady, Event, PhaseDone, PhaseSkipped, TransportDetected
from orchestrator.run.announcement import announcement
from tests.cluster import builders

TWO = builders.inventory()
PROOF = EndpointVerified("http://10.0.0.1:8000", "this machine", " Paris")
IB, RDMA, UNKNOWN = (NcclTransport(kind) for kind in ("NET/IB", "NET/IB/GDRDMA", "unknown"))


def test_everything_is_from_the_inventory_and_the_run() -> None:
    done: list[Event] = [PhaseSkipped("A", "so"), PhaseDone("B", 1.5), EngineReady(640), PhaseDone("C", 2.5)]
    announced = announcement(TWO, [*done, PROOF])
    assert (announced.url, announced.token) == ("http://10.0.0.1:8000", " Paris")
    assert announced.proved_from == "this machine"
    assert (announced.model, announced.served_name) == (TWO.model.id, "ernie")
    assert (announced.tensor_parallel_size, announced.pipeline_parallel_size) == (16, 1)
    assert (announced.gpus, announced.hosts) == (16, ("gpu-a", "gpu-b"))
    assert (announced.kv_cache_tokens, announced.needs_key) == (640, False)
    assert announced.seconds == (("B", 1.5), ("C", 2.5))


def test_without_a_proof_there_is_none() -> None:
    with pytest.raises(ValueError, match="no token"):
        announcement(TWO, [EngineReady(640)])


@pytest.mark.parametrize(
    ("learned", "transport"),
    [([], None), ([UNKNOWN], UNKNOWN), ([IB, RDMA], RDMA), ([IB, UNKNOWN], IB), ([UNKNOWN, RDMA], RDMA)],
)
def test_the_last_that_is_known_of_the_transport(
    learned: Sequence[NcclTransport], transport: NcclTransport | None
) -> None:
    events: list[Event] = [*(TransportDetected(one) for one in learned), PROOF]
    assert announcement(TWO, events).transport == transport


def test_it_says_whether_a_key_is_needed_and_never_which() -> None:
    serve = TWO.serve.model_copy(update={"api_key": SecretStr("sk-secret")})
    announced = announcement(TWO.model_copy(update={"serve": serve}), [PROOF])
    assert announced.needs_key
    assert "sk-secret" not in repr(announced)
