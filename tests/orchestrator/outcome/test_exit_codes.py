"""What scripts are promised."""

from __future__ import annotations

import pytest

from cluster.errors import ClusterError, FleetError, HostError, UsageError
from orchestrator.outcome.exit_codes import exit_code
from orchestrator.run.interrupts import Interrupted
from tests.orchestrator.render import story


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (story.inventory, 2),
        (story.preflight, 3),
        (story.unreachable, 4),
        (story.failed, 5),
        (story.timed_out, 5),
        (story.unintelligible, 5),
        (HostError("gpu-a", "stop Ray"), 5),
        (story.same, 5),
        (story.several, 4),
        (FleetError([]), 5),
        (story.not_ready, 6),
        (story.not_freed, 7),
        (story.held, 8),
        (KeyboardInterrupt(), 130),
        (Interrupted("interrupted"), 130),
        (UsageError("no cluster is known"), 2),
        (ClusterError("?"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code
