"""Nothing is started on hosts that are not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.command import Command
from cluster.errors import ClusterError, CommandFailed, FleetError, PreflightFailed, Unreachable
from cluster.state.desired import ray_unit, vllm_unit
from cluster.values.facts import ModelFiles
from cluster.views import HostView, Observed
from orchestrator.events import FindingReported
from orchestrator.phases.preflight import Preflight
from tests.cluster import builders
from tests.orchestrator.scripted_stage import reach_answer, scripted_run

TWO = builders.inventory()
LOST_A, LOST_B = Unreachable("gpu-a", "connect"), Unreachable("gpu-b", "connect")
SEVEN = tuple(builders.card(index) for index in range(7))
NO_PYTHON = CommandFailed("gpu-b", Command(("x",), "read the facts of the host"), 127, "", "not found")


def seen(**problems: ClusterError) -> Observed:
    healthy = builders.seen(TWO)
    return healthy | {
        name.replace("_", "-"): HostView(name.replace("_", "-"), problem=problem)  # type: ignore[arg-type]
        for name, problem in problems.items()
    }


def test_healthy_hosts_pass() -> None:
    play = scripted_run()
    Preflight().run(play.stage)
    assert {(host, kind) for host, kind in play.ran} == {
        (host, kind) for host in ("gpu-a", "gpu-b") for kind in ("port_listener", "port_probe", "venv_check")
    }
    assert play.events_of(FindingReported) == []


def test_what_runs_as_wanted_is_not_tried_again() -> None:
    idle = builders.seen(TWO)
    rays = {name: builders.alive(ray_unit(TWO, view)) for name, view in idle.items()}
    engine = builders.alive(vllm_unit(TWO, idle))
    runs = {name: builders.view(TWO.host(name), ray=ray) for name, ray in rays.items()}
    play = scripted_run(seen=runs | {"gpu-a": builders.view(TWO.host("gpu-a"), ray=rays["gpu-a"], vllm=engine)})
    Preflight().run(play.stage)
    assert play.ran == []


def test_a_peer_that_is_not_let_through_forbids_a_start() -> None:
    with pytest.raises(PreflightFailed) as caught:
        Preflight().run(scripted_run({"port_probe": lambda command: reach_answer(command, "refused")}).stage)
    assert {(finding.name, finding.host) for finding in caught.value.findings} == {
        ("reach", "gpu-a"),
        ("reach", "gpu-b"),
    }


def test_a_model_that_has_no_room_is_refused_before_anything_is_tried() -> None:
    one = builders.inventory(1)
    files = ModelFiles(path="/models/ernie", sizes={"model.safetensors": 848_000_000_000})
    play = scripted_run(inventory=one, seen=builders.seen(one, model=files))
    with pytest.raises(PreflightFailed) as caught:
        Preflight().run(play.stage)
    assert [finding.name for finding in caught.value.findings] == ["model-fits"]
    assert play.ran == []


def test_what_does_not_forbid_a_start_is_said() -> None:
    play = scripted_run(seen=builders.seen(TWO, nofile=1024))
    Preflight().run(play.stage)
    assert {one.finding.host for one in play.events_of(FindingReported)} == {"gpu-a", "gpu-b"}


def test_all_findings_of_all_hosts_come_at_once() -> None:
    with pytest.raises(PreflightFailed) as caught:
        Preflight().run(scripted_run(seen=builders.seen(TWO, gpus=SEVEN, nofile=1024)).stage)
    assert {finding.host for finding in caught.value.findings if finding.blocking} == {"gpu-a", "gpu-b"}
    assert any(not one.blocking for one in caught.value.findings)


def test_one_lost_host_is_unreachable() -> None:
    with pytest.raises(Unreachable) as caught:
        Preflight().run(scripted_run(seen=seen(gpu_b=LOST_B)).stage)
    assert caught.value is LOST_B


def test_two_lost_hosts_are_both_named() -> None:
    with pytest.raises(FleetError) as caught:
        Preflight().run(scripted_run(seen=seen(gpu_a=LOST_A, gpu_b=LOST_B)).stage)
    assert caught.value.errors == (LOST_A, LOST_B)


def test_a_lost_host_that_is_skipped_hides_no_finding() -> None:
    play = scripted_run(seen=seen(gpu_b=LOST_B) | {"gpu-a": builders.view(TWO.host("gpu-a"), gpus=SEVEN)})
    with pytest.raises(PreflightFailed) as caught:
        Preflight().run(replace(play.stage, skip=("reachable",)))
    assert [(finding.name, finding.host) for finding in caught.value.findings] == [("gpu-number", "gpu-a")]


def test_a_host_that_answers_and_cannot_be_looked_at_is_not_unreachable() -> None:
    with pytest.raises(PreflightFailed) as caught:
        Preflight().run(scripted_run(seen=seen(gpu_b=NO_PYTHON)).stage)
    assert [(finding.name, finding.host) for finding in caught.value.findings] == [("reachable", "gpu-b")]


def test_no_all_reduce_runs_beside_a_vllm_that_has_the_gpus() -> None:
    two = builders.inventory(preflight={"fabric": {"min_gb_per_second": 1}})
    outdated = builders.view(two.host("gpu-a"), vllm=builders.alive(vllm_unit(TWO, builders.seen(TWO))))
    play = scripted_run(inventory=two, seen=builders.seen(two) | {"gpu-a": outdated})
    Preflight().run(play.stage)
    assert play.events_of(FindingReported) == []


def test_the_record_of_a_vllm_that_has_ended_forbids_no_all_reduce() -> None:
    two = builders.inventory(preflight={"fabric": {"min_gb_per_second": 1}})
    ended = builders.view(two.host("gpu-a"), vllm=builders.dead(name="vllm"))
    play = scripted_run(inventory=two, seen=builders.seen(two) | {"gpu-a": ended})
    with pytest.raises(KeyError, match="all_reduce"):  # it was begun, and nobody scripted its answer
        Preflight().run(play.stage)


def test_a_lost_head_does_not_hide_what_is_wrong_with_the_others() -> None:
    with pytest.raises(PreflightFailed) as caught:
        Preflight().run(scripted_run(seen=seen(gpu_a=LOST_A, gpu_b=NO_PYTHON)).stage)
    assert {finding.host for finding in caught.value.findings} == {"gpu-a", "gpu-b"}
