"""Versions: there, and the same."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.software import equal, installed
from tests.cluster.builders import inventory
from tests.cluster.preflight.findings import differing, found_on_head


@pytest.mark.parametrize(
    ("hosts", "seen", "expected"),
    [
        (2, {}, []),
        (2, {"python_is_venvs": False, "versions": {}}, ["/opt/vllm/bin/python is missing"]),
        (2, {"versions": {"vllm": "1"}}, ["ray is not in /opt/vllm"]),
        (2, {"versions": {}}, ["ray is not in /opt/vllm", "vllm is not in /opt/vllm"]),
        (1, {"versions": {"vllm": "1"}}, []),
        (1, {"versions": {"ray": "1"}}, ["vllm is not in /opt/vllm"]),
    ],
)
def test_what_must_be_installed(hosts: int, seen: dict[str, Any], expected: list[str]) -> None:
    assert found_on_head(installed, seen, inventory(hosts)) == [("blocking", text) for text in expected]


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (({}, {}), []),
        (({},), []),
        (({"python": "3.12.3"}, {"python": "3.12.4"}), ["python: gpu-a has 3.12.3, gpu-b has 3.12.4"]),
        (({"versions": {"ray": "1"}}, {"versions": {"ray": "2"}}), ["ray: gpu-a has 1, gpu-b has 2"]),
        (({"versions": {"torch": "1"}}, {"versions": {}}), ["torch: gpu-a has 1, gpu-b has none"]),
        (({"versions": {"other": "1"}}, {"versions": {"other": "2"}}), []),
    ],
)
def test_the_same_everywhere(each: tuple[dict[str, Any], ...], expected: list[str]) -> None:
    assert differing(equal, *each) == [("", text) for text in expected]
