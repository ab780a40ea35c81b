"""Whose yes it takes to stop what runs."""

from __future__ import annotations

import pytest

from cluster.errors import InUse
from cluster.launch.unit import Name
from cluster.state.desired import ray_unit, vllm_unit
from cluster.values import Launcher, Presence
from cluster.views import Observed
from orchestrator.events import HostMessage
from orchestrator.run.consent import Consent
from tests.cluster import builders
from tests.orchestrator.scripted_stage import ScriptedRun, scripted_run, status_answer

TWO = builders.inventory(serve={"arguments": ("--max-model-len", "512")})
CHANGED = builders.inventory(serve={"arguments": ("--max-model-len", "256")})
WE = Launcher(owner="alice", machine="desk", state="a" * 32)
BOB = Launcher(owner="bob", machine="laptop", state="b" * 32)
ALL: list[tuple[str, Name]] = [("gpu-a", "vllm"), ("gpu-b", "ray"), ("gpu-a", "ray")]


def running(by: Launcher | None, presence: Presence = Presence.ALIVE) -> Observed:
    """The cluster of TWO as it was launched by somebody."""
    seen = builders.seen(TWO)
    rays = {name: builders.alive(ray_unit(TWO, view), launched_by=by) for name, view in seen.items()}
    engine = builders.alive(vllm_unit(TWO, seen), launched_by=by, presence=presence)
    return {
        "gpu-a": builders.view(TWO.host("gpu-a"), ray=rays["gpu-a"], vllm=engine),
        "gpu-b": builders.view(TWO.host("gpu-b"), ray=rays["gpu-b"]),
    }


def require(
    seen: Observed,
    stops: list[tuple[str, Name]],
    *,
    us: Launcher = WE,
    knew: bool = False,
    yes: bool = False,
    health: int = 200,
) -> tuple[ScriptedRun, list[str]]:
    """What was shown, and what was asked."""
    asked: list[str] = []
    play = scripted_run({"unit_status vllm": status_answer(health=health)}, CHANGED, seen)

    def given(question: str) -> bool:
        asked.append(question)
        return yes

    Consent(us, knew, given).require(play.stage, stops)
    return play, asked


def test_what_we_launched_is_ours_to_stop() -> None:
    assert require(running(WE), ALL)[1] == []
    elsewhere = WE.model_copy(update={"owner": "root", "machine": "renamed"})
    assert require(running(elsewhere), ALL)[1] == [], "the machine has another name by now"


def test_what_somebody_else_launched_takes_a_yes() -> None:
    with pytest.raises(InUse) as caught:
        require(running(BOB), [("gpu-a", "vllm")])
    error = caught.value
    assert error.message == "demo is in use: vllm on gpu-a: launched by bob on laptop"
    assert error.cause == "vllm on gpu-a: --max-model-len 512 there, --max-model-len 256 here"
    assert "`--yes`" in error.cure


def test_with_a_yes_it_goes_and_is_told() -> None:
    play, (question,) = require(running(BOB), ALL, yes=True)
    (message,) = play.events_of(HostMessage)
    assert message.severity == "warning"
    assert (
        message.message
        == "vllm on gpu-a, ray on gpu-b, ray on gpu-a: launched by bob on laptop; stopping it, as confirmed"
    )
    assert "--max-model-len 512 there, --max-model-len 256 here" in question
    assert "ray on gpu-b: it is up to date" in question


def test_the_same_person_from_another_state_folder_is_somebody_else() -> None:
    with pytest.raises(InUse):
        require(running(WE.model_copy(update={"state": "c" * 32})), ALL)


def test_a_machine_that_keeps_no_id_is_known_by_its_names() -> None:
    nameless = WE.model_copy(update={"state": ""})
    assert require(running(WE), ALL, us=nameless)[1] == []
    with pytest.raises(InUse):
        require(running(BOB), ALL, us=nameless)


def test_a_record_that_names_nobody_is_ours_where_we_knew_the_cluster() -> None:
    assert require(running(None), ALL, knew=True)[1] == []
    with pytest.raises(InUse, match="launched by an operator whom its record does not name"):
        require(running(None), ALL)


def test_an_engine_that_does_not_serve_is_nobodys_loss() -> None:
    assert require(running(BOB), ALL, health=0)[1] == []


def test_what_is_dead_is_nobodys() -> None:
    assert require(running(BOB, Presence.DEAD), [("gpu-a", "vllm")])[1] == []


def test_a_difference_has_no_secret_and_an_end() -> None:
    seen = running(BOB)
    engine = seen["gpu-a"].vllm.model_copy(
        update={"argv": ("vllm", "--api-key=sk-0123456789abcdef", *["--x"] * 9999)}
    )
    seen["gpu-a"] = builders.view(TWO.host("gpu-a"), ray=seen["gpu-a"].ray, vllm=engine)
    with pytest.raises(InUse) as caught:
        require(seen, [("gpu-a", "vllm")])
    assert "sk-0123456789abcdef" not in caught.value.cause
    assert len(caught.value.cause) <= 600


def test_an_equal_command_line_differs_elsewhere() -> None:
    seen = running(BOB)
    engine = seen["gpu-a"].vllm.model_copy(
        update={"argv": vllm_unit(CHANGED, seen).argv, "fingerprint": "of another environment"}
    )
    seen["gpu-a"] = builders.view(TWO.host("gpu-a"), ray=seen["gpu-a"].ray, vllm=engine)
    with pytest.raises(InUse) as caught:
        require(seen, [("gpu-a", "vllm")])
    assert caught.value.cause == "vllm on gpu-a: its environment, its secrets or its versions differ"
