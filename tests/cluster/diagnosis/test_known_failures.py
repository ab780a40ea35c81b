"""Known ways for an engine to die."""

from __future__ import annotations

import pytest

from cluster.diagnosis.known_failures import KNOWN
from cluster.diagnosis.root_cause import root_cause


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("ModuleNotFoundError: No module named 'decord'", "decord"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'ninja'", "ninja"),
        ("ValueError: World size (16) is larger than the number of available GPUs (8)", "more GPUs than the host"),
        (
            "ValueError: Free memory on device cuda:0 (10/79 GiB) on startup is less than desired",
            "another process",
        ),
        ("RuntimeError: CUDA error 802: system not yet initialized", "fabric manager"),
        ("RuntimeError: Gloo connectFullMesh failed with", "loopback"),
        ("OSError: [Errno 28] No space left on device", "full"),
        (
            "AttributeError: 'PPMissingLayer' object has no attribute 'weight'",
            "cannot be split into pipeline stages",
        ),
        ("OSError: We couldn't find it: Cannot find the requested files in the disk cache", "missing on the head"),
    ],
)
def test_known_causes(said: str, cause: str) -> None:
    found = root_cause(
        "\n".join(f"(EngineCore pid=2) {line}" for line in ("Traceback (most recent call last):", said))
    )
    assert found is not None
    assert cause in found.cause
    assert found.cure


def test_every_known_way_has_a_cause_and_a_cure() -> None:
    assert all(one.sign and one.cause and one.cure for one in KNOWN)
