"""What our units' programs will find, and what the venv's libraries could do."""

from __future__ import annotations

import pytest

from cluster.command import Command
from cluster.errors import CommandFailed, Unreachable
from cluster.preflight.check import Evidence
from cluster.preflight.report import report
from cluster.preflight.software import remote_code, tools
from cluster.values import Severity, VenvCheck
from cluster.values.facts import ModelFiles
from cluster.views import TrialResults
from tests.cluster.builders import inventory, seen, software
from tests.cluster.preflight.findings import found_on_head

ONE = inventory()


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ({}, []),
        ({"ninja": ""}, [("blocking", "ninja is missing")]),
        ({"compiler": ""}, [("blocking", "a C compiler is missing")]),
    ],
)
def test_tools(lacking: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert found_on_head(tools, {"software": software(**lacking)}) == expected
    assert found_on_head(tools, {"software": software(**lacking), "python_is_venvs": False}) == []


def test_what_the_models_own_code_imports() -> None:
    lacks = {"software": software(unimportable=("decord", "moviepy"))}
    assert found_on_head(remote_code, lacks) == [("blocking", "decord, moviepy missing in /opt/vllm")]
    assert (
        found_on_head(remote_code, lacks | {"model": ModelFiles(path="/m", sizes={}, problem="lacks a shard")})
        == []
    )
    assert found_on_head(remote_code, lacks | {"python_is_venvs": False}) == []


def tripped(result: TrialResults) -> list[tuple[str, str, Severity]]:
    trials = {"gpu-a": TrialResults("gpu-a", (), VenvCheck(cuda="", model="")), "gpu-b": result}
    findings = report(ONE, Evidence(seen(ONE), trials)).findings
    return [(finding.name, finding.host, finding.severity) for finding in findings]


@pytest.mark.parametrize("output", ["", None])
def test_what_went_well_or_was_not_tried(output: str | None) -> None:
    assert tripped(TrialResults("gpu-b", (), VenvCheck(cuda=output, model=output))) == []


def test_what_did_not_go_well() -> None:
    trial = VenvCheck(cuda="Error 802: system not yet initialized", model="KeyError: 'rope_theta'")
    assert tripped(TrialResults("gpu-b", (), trial)) == [
        ("cuda", "gpu-b", "blocking"),
        ("model-config", "gpu-b", "blocking"),
    ]


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (
            "RuntimeError: Unexpected error from cudaGetDeviceCount() … Error 802: system not yet initialized",
            "fabric",
        ),
        (
            "RuntimeError: Error 803: system has unsupported display driver / cuda driver combination",
            "driver is older",
        ),
        ("torch 2.9.1 is a build without CUDA", "torch for CPUs"),
        ("OutOfMemoryError: CUDA out of memory", "holds the memory"),
        ("RuntimeError: Found no NVIDIA driver on your system", "NVIDIA_DRIVER_CAPABILITIES"),
        ("something new", "every rank on this host would fail"),
    ],
)
def test_what_torch_says_is_explained(output: str, why: str) -> None:
    tried = {"gpu-a": TrialResults("gpu-a", (), VenvCheck(cuda=output, model=None))}
    (one,) = report(ONE, Evidence(seen(ONE), tried)).findings
    assert (one.name, one.found) == ("cuda", output)
    assert why in one.why


def test_a_trial_that_could_not_be_made_is_said() -> None:
    broken = CommandFailed("gpu-b", Command(("x",), "test the venv"), 1, "", "Segmentation fault")
    assert tripped(TrialResults("gpu-b", (), broken)) == [("cuda", "gpu-b", "unchecked")]
    lost = Unreachable("gpu-b", "listen for its peers")
    assert tripped(TrialResults("gpu-b", lost)) == [("reach", "gpu-b", "unchecked")]


def test_a_host_that_is_lost_under_a_trial_has_not_passed_it() -> None:
    """The error may say what the connection was doing, and not what the trial was."""
    lost = Unreachable("gpu-b", "connect", cause="no route")
    assert tripped(TrialResults("gpu-b", lost, lost, lost)) == [
        ("cuda", "gpu-b", "unchecked"),
        ("reach", "gpu-b", "unchecked"),
        ("model-hashes", "gpu-b", "unchecked"),
    ]
