"""Versions that are too old, that do not fit each other, or that are known to fail."""

from __future__ import annotations

import pytest

from cluster.preflight.software import demanded, floors, known_bad
from tests.cluster.builders import inventory, software
from tests.cluster.preflight.findings import found_on_head

ALONE = inventory(1)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"vllm": "0.11.0", "ray": "2.48.0"}, []),
        ({"vllm": "0.10.2", "ray": "2.60.0"}, [("blocking", "vllm 0.10.2")]),
        ({"vllm": "0.11.0rc1", "ray": "2.9.3"}, [("blocking", "vllm 0.11.0rc1"), ("blocking", "ray 2.9.3")]),
        ({"vllm": "0.32.0+cu130", "ray": "3.0.0.dev0"}, []),
        ({"vllm": "", "ray": "unknown"}, []),
        ({}, []),
    ],
)
def test_floors(versions: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert found_on_head(floors, {"versions": versions}) == expected


def test_one_host_needs_no_ray() -> None:
    assert found_on_head(floors, {"versions": {"ray": "1.0"}}, ALONE) == []
    assert found_on_head(known_bad, {"versions": {"vllm": "0.26.0"}}, ALONE) == []


def test_a_hang_of_tensor_parallel_over_hosts_is_none_of_a_pipelines() -> None:
    stages = inventory(serve={"tensor_parallel_size": 8, "pipeline_parallel_size": 2})
    assert found_on_head(known_bad, {"versions": {"vllm": "0.28.0"}}, stages) == []


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        ("0.26.0", True), ("0.26.1rc1.dev100", True), ("0.27.0", True), ("0.28.0", True),
        ("0.25.2", False), ("0.29.0", False), ("0.32.0", False), ("odd", False),
    ],
)  # fmt: skip
def test_known_bad(version: str, bad: bool) -> None:
    expected = [("warning", f"vllm {version}")] if bad else []
    assert found_on_head(known_bad, {"versions": {"vllm": version}}) == expected


@pytest.mark.parametrize(
    ("demand", "bad"),
    [
        ("transformers<5.20.0,>=5.16.1", True),
        ("transformers>=4.55,!=4.57", False),
        ('transformers==9; platform_machine == "pdp11"', False),
        ('transformers==9; extra == "all"', False),
        ("nvidia-nccl-cu13==2.28.9", True),
        ("torch==2.13.0", False),
        ("torch==2.13.0+cpu", False),
        ("no requirement at all ==", False),
        ("ray>=2", False),
    ],
)
def test_what_vllm_demands(demand: str, bad: bool) -> None:
    versions = {"transformers": "5.0.0", "torch": "2.13.0+cpu", "nvidia_nccl_cu13": "2.27.3"}
    findings = found_on_head(demanded, {"versions": versions, "software": software(demands=(demand,))})
    assert len(findings) == bad
    assert all(severity == "blocking" for severity, _ in findings)
