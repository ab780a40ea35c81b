"""Why a unit died, and what to do about it."""

from __future__ import annotations

import pytest

from cluster.diagnosis.unit_failure import NONE, UnitFailure, unit_failure
from cluster.errors import Unreachable
from cluster.transport.host import Host
from cluster.values import Presence
from cluster.views import HostView
from tests.cluster import builders
from tests.cluster.recorded import recorded
from tests.doubles import Script, ScriptedTransport
from tests.orchestrator.scripted_stage import status_answer

HEAD = builders.inventory().head
ANEW = "`up` starts it again"
LOST = Unreachable("gpu-a", "connect", cause="no route", cure="see its cable")
MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.00 GiB."


def found(view: HostView, **logs: Script) -> UnitFailure:
    answers = {f"unit_status {name}": log for name, log in logs.items()}
    return unit_failure(builders.inventory(), Host("gpu-a", ScriptedTransport(answers)), view)


def died(log: str) -> UnitFailure:
    """Returns the failure of the engine on the head; the hosts have the addresses of the recorded logs."""
    one = builders.inventory()
    hosts = tuple(
        spec.model_copy(update={"cluster_address": address})
        for spec, address in zip(one.hosts, ("10.0.0.2", "10.0.0.3"), strict=True)
    )
    transport = ScriptedTransport({"unit_status vllm": status_answer(log, Presence.DEAD)})
    view = builders.view(HEAD, vllm=builders.dead(name="vllm"))
    return unit_failure(one.model_copy(update={"hosts": hosts}), Host("gpu-a", transport), view)


def test_a_host_that_is_well() -> None:
    assert found(builders.view(HEAD)) == NONE


def test_a_host_that_cannot_be_looked_at() -> None:
    assert found(HostView("gpu-a", problem=LOST)) == ("no route", "see its cable")


def test_gpus_that_cannot_be_looked_at() -> None:
    cause, cure = found(builders.view(HEAD, gpu_problem="NVML: unknown error"))
    assert (cause, cure) == ("NVML: unknown error", "run nvidia-smi on that host")


def test_an_engine_says_what_it_died_of() -> None:
    cause, cure = found(
        builders.view(HEAD, vllm=builders.dead(name="vllm")), vllm=status_answer(MEMORY, Presence.DEAD)
    )
    assert cause == f"{MEMORY}: the model does not fit into the memory of the GPUs"
    assert cure.endswith(f"a quantized model; {ANEW}")


@pytest.mark.parametrize("name", ["gpu-rank-killed", "rank-segfault"])
def test_a_rank_is_told_with_its_host(name: str) -> None:
    """In the row of the head, whose engine it was: "that host" must not be taken for the head."""
    cause, cure = died(recorded(f"failures/{name}/vllm.log"))
    assert cause.startswith("rank 1 on gpu-b: its process exited without an error message: a user killed it, ")
    assert cure.startswith("run `dmesg -T | grep -i kill` on that host")


@pytest.mark.parametrize("who", [("RayWorkerProc", "a rank on gpu-b"), ("Unnamed", "on gpu-b: Unnamed")])
def test_what_no_numbered_rank_says_is_told_with_its_host(who: tuple[str, str]) -> None:
    kind, told = who
    lines = (f"({kind} pid=7, ip=10.0.0.3) {line}" for line in ("Traceback (most recent call last):", MEMORY))
    assert died("\n".join(lines))[0].startswith(f"{told}: {MEMORY}")


def test_a_ray_says_what_it_died_of_and_what_it_left() -> None:
    seen = builders.dead(7, 8).model_copy(update={"status": -9})
    cause, cure = found(builders.view(HEAD, ray=seen), ray=status_answer("No space left on device", Presence.DEAD))
    left = "but 2 of its processes still run"
    assert (cause, cure) == (
        f"Ray has exited (exit status -9): a disk or /dev/shm is full, {left}",
        f"free some space on that host; {ANEW}",
    )


def test_both_are_told_and_the_cure_once() -> None:
    view = builders.view(HEAD, ray=builders.dead(), vllm=builders.dead(7).model_copy(update={"argv": ()}))
    cause, cure = found(view, ray=status_answer("", Presence.DEAD))
    assert cause == "Ray has exited; the record of vllm is missing, but 1 of its processes still run"
    assert cure == ANEW


@pytest.mark.parametrize("name", ["ray", "vllm"])
def test_a_log_that_cannot_be_read(name: str) -> None:
    view = builders.view(HEAD, **{name: builders.dead()})
    cause = f"{name} has exited; its log could not be read: no route"
    assert found(view, **{name: LOST}) == (cause, f"see its cable; {ANEW}")


def test_a_keeper_that_is_gone_while_its_tree_lives() -> None:
    cause, cure = found(builders.view(HEAD, ray=builders.dead(7)), ray=status_answer("all is well", Presence.DEAD))
    assert (cause, cure) == ("the keeper of ray has exited, but 1 of its processes still run", ANEW)
