"""vLLM anew, and nothing else."""

from __future__ import annotations

import pytest

from cluster.errors import NotReleased
from orchestrator.phases.launch_vllm import Restart
from tests.orchestrator.scripted_stage import scripted_run, stop_answer


def test_it_is_stopped_and_launched_on_the_head_alone() -> None:
    play = scripted_run({"stop vllm": stop_answer(), "keeper vllm": ""})
    Restart().run(play.stage)
    assert play.ran == [("gpu-a", "stop vllm"), ("gpu-a", "keeper vllm")]


def test_one_that_stays_is_not_joined_by_another() -> None:
    play = scripted_run({"stop vllm": stop_answer("vllm serve")})
    with pytest.raises(NotReleased):
        Restart().run(play.stage)
    assert play.ran == [("gpu-a", "stop vllm")]
