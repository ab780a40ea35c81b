"""vLLM on the head."""

from __future__ import annotations

import pytest

from cluster.errors import CommandFailed, NotReleased, Unreachable
from cluster.state.desired import ray_unit, vllm_unit
from cluster.views import HostView, Observed
from orchestrator.phases.launch_vllm import LaunchVllm
from orchestrator.run.phase import Situation
from tests.cluster import builders
from tests.doubles import failed
from tests.orchestrator.scripted_stage import scripted_run, stop_answer

ONE, TWO = builders.inventory(hosts=1), builders.inventory()


def running(ray: tuple[str, ...] = ("gpu-a", "gpu-b")) -> Observed:
    seen = builders.seen(TWO)
    rays = {name: {"ray": builders.alive(ray_unit(TWO, view))} for name, view in seen.items() if name in ray}
    engine = builders.alive(vllm_unit(TWO, seen))
    return {
        "gpu-a": builders.view(TWO.host("gpu-a"), vllm=engine, **rays.get("gpu-a", {})),
        "gpu-b": builders.view(TWO.host("gpu-b"), **rays.get("gpu-b", {})),
    }


def test_an_engine_of_ours_is_attached_to_but_not_on_another_ray() -> None:
    assert LaunchVllm().skip(Situation(TWO, running())) == "it runs as wanted"
    assert LaunchVllm().skip(Situation(TWO, running(ray=("gpu-a",)))) is None
    assert LaunchVllm().skip(Situation(TWO, builders.seen(TWO))) is None


def test_it_is_launched_on_the_head() -> None:
    play = scripted_run({"keeper vllm": ""})
    LaunchVllm().run(play.stage)
    assert play.ran == [("gpu-a", "keeper vllm")]
    assert "ray" in play.payloads("gpu-a", "keeper vllm")[0]["argv"]


def test_one_host_serves_without_ray() -> None:
    play = scripted_run({"keeper vllm": ""}, ONE)
    LaunchVllm().run(play.stage)
    assert "--distributed-executor-backend" not in play.payloads("gpu-a", "keeper vllm")[0]["argv"]


def test_a_head_that_cannot_launch_says_why() -> None:
    with pytest.raises(CommandFailed, match="launch vllm") as caught:
        LaunchVllm().run(
            scripted_run({"keeper vllm": failed(1, "/opt/vllm/bin/vllm: No such file or directory")}).stage
        )
    assert "does not have the program" in caught.value.cause


def test_a_head_that_was_lost_after_preflight_says_so() -> None:
    lost = Unreachable("gpu-a", "read the facts of the host")
    with pytest.raises(Unreachable) as caught:
        LaunchVllm().run(scripted_run(seen=builders.seen(TWO) | {"gpu-a": HostView("gpu-a", problem=lost)}).stage)
    assert caught.value is lost


def test_undo_stops_it() -> None:
    play = scripted_run({"stop vllm": stop_answer()})
    LaunchVllm().undo(play.stage)
    assert play.ran == [("gpu-a", "stop vllm")]


def test_undo_leaves_what_was_there_before() -> None:
    play = scripted_run(seen=running())
    LaunchVllm().undo(play.stage)
    assert play.ran == []


def test_what_undo_could_not_stop_is_named() -> None:
    with pytest.raises(NotReleased) as caught:
        LaunchVllm().undo(scripted_run({"stop vllm": stop_answer("VLLM::EngineCore")}).stage)
    assert caught.value.leftovers[0].what == "pid 70: VLLM::EngineCore"
