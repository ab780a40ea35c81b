"""The same inventory in another layout."""

from __future__ import annotations

import pytest

from cluster.errors import UsageError
from cluster.inventory import with_layout
from tests.cluster.builders import inventory


def test_another_layout() -> None:
    other = with_layout(inventory(), 8, 2)
    assert (other.serve.tensor_parallel_size, other.serve.pipeline_parallel_size) == (8, 2)
    assert other.model_copy(update={"serve": inventory().serve}) == inventory()


@pytest.mark.parametrize(
    ("sizes", "hosts", "reason"),
    [((8, 1), 2, "declare 16 GPUs, but 8x1 needs 8"), ((3, 8), 3, "3 must divide 64 attention heads")],
)
def test_a_layout_that_cannot_be(sizes: tuple[int, int], hosts: int, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_layout(inventory(hosts), *sizes)
    assert reason in caught.value.cause
