"""Clocks against what most say; a slow way there is no skew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.preflight.check import Evidence
from cluster.preflight.machine import skew
from tests.cluster.builders import inventory, seen


def skews(*clocks: tuple[float, float]) -> list[tuple[str, str]]:
    one = inventory(len(clocks))
    views = seen(one)
    for name, clock in zip(views, clocks, strict=True):
        views[name] = replace(views[name], clock=clock)
    return [(finding.host, finding.found) for finding in skew(one, Evidence(views))]


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        ([(0.0, 0.1), (-0.1, 0.0)], []),
        ([(0.0, 0.0), (4.9, 5.1)], [("gpu-b", "4.9 s ahead of the others")]),
        ([(-30.2, -30.0), (0.0, 0.2)], [("gpu-a", "30.0 s behind the others")]),
        # It is our own clock that is wrong.
        ([(60.0, 60.1), (60.0, 60.2)], []),
        ([(60.0, 60.1), (60.0, 60.0), (0.0, 0.0)], [("gpu-c", "60.0 s behind the others")]),
        # The look took ten seconds: nothing is certain.
        ([(-5.0, 5.0), (0.0, 0.1)], []),
        ([(-1.0, 9.0), (0.0, 0.1)], []),
    ],
)
def test_skew(clocks: list[tuple[float, float]], expected: list[tuple[str, str]]) -> None:
    assert skews(*clocks) == expected
