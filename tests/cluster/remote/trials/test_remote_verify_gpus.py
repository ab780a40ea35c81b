"""The gate, with a Ray of ours that answers as told: what it says for what it sees."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.command import json_lines
from cluster.inventory.models import RuntimeSpec
from cluster.launch import ray
from cluster.transport.conversation import Channel
from tests.cluster.builders import inventory
from tests.cluster.remote.local import LocalChannel

#: As much of Ray as the gate asks, out of a file that says how it is.
RAY = """
import json, os, types
told = json.load(open(os.path.join(os.path.dirname(__file__), "told.json")))

class RayError(Exception): pass
class GetTimeoutError(RayError): pass
exceptions = types.SimpleNamespace(RayError=RayError, GetTimeoutError=GetTimeoutError)

def init(address, **_):
    told["calls"] = told.get("calls", 0) + 1
    if told["calls"] <= told["deaf"]: raise ConnectionError(told["why"])

def nodes():
    return [{"NodeManagerAddress": a, "Alive": True, "Resources": {"GPU": float(n)}} for a, n in told["nodes"]]

def available_resources(): return {"GPU": told["free"]}

def get(task, timeout=None):
    if task == "ready":
        if told["free"] < told["asked"]: raise GetTimeoutError
        return None
    answer = told["tasks"][task]
    if isinstance(answer, str): raise RayError(answer)
    return answer

def task(scheduling_strategy): return types.SimpleNamespace(remote=lambda: scheduling_strategy)
def remote(**_): return lambda function: types.SimpleNamespace(options=task)
def wait(left, timeout): return left[:1], left[1:]
"""
GROUP = """
import ray, types
def placement_group(bundles, strategy):
    ray.told["asked"] = len(bundles)
    return types.SimpleNamespace(ready=lambda: "ready")
def remove_placement_group(group): pass
"""
STRATEGY = """
def PlacementGroupSchedulingStrategy(group, placement_group_bundle_index):
    return placement_group_bundle_index
"""

BOTH = [["192.168.0.1", 2], ["192.168.0.2", 2]]
TOUCHED = [{"uuid": f"GPU-{number}", "memory_mib": 81559, "cuda": "ok"} for number in range(4)]
WELL = {"deaf": 0, "why": "", "nodes": BOTH, "free": 4, "tasks": TOUCHED}


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gate") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "ray" / "util").mkdir(parents=True)
    (packages / "ray" / "__init__.py").write_text(RAY)
    (packages / "ray" / "util" / "__init__.py").write_text("from ray.util.placement_group import *\n")
    (packages / "ray" / "util" / "placement_group.py").write_text(GROUP)
    (packages / "ray" / "util" / "scheduling_strategies.py").write_text(STRATEGY)
    return folder


def gate(venv: Path, patience: float = 10.0, **told: Any) -> list[dict[str, Any]]:
    """What it says, in a Ray that is well but for what is told otherwise."""
    with contextlib.closing(gate_of(venv, patience, **told)) as channel:
        return list(lines_of(channel))


def gate_of(venv: Path, patience: float, **told: Any) -> Channel:
    (path,) = venv.glob("lib/python*/site-packages/ray")
    (path / "told.json").write_text(json.dumps(WELL | told))
    runtime = RuntimeSpec.model_construct(venv=str(venv), state_directory="/nowhere")
    one = inventory(gpus=2).model_copy(update={"runtime": runtime})
    return LocalChannel(ray.verify_gpus(one, "/nowhere", patience))


def lines_of(channel: Channel) -> Iterator[dict[str, Any]]:
    """All that it says, with its stdin open: the gate ends with whoever asked."""
    with contextlib.suppress(EOFError):
        while (line := channel.read_line(30)) is not None:
            yield from json_lines(line)


def test_all_is_proved(venv: Path) -> None:
    said = gate(venv)
    assert said[0] == {"joined": {"192.168.0.1": 2, "192.168.0.2": 2}}
    assert said[1:-1] == [{"touched": count, "of": 4} for count in (1, 2, 3, 4)]
    assert [one.uuid for one in ray.gpu_answers(said[-1])] == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]


@pytest.mark.parametrize(("why", "last"), [("one\ntwo\n", "two"), ("", "ConnectionError")])
def test_a_head_that_still_starts_is_waited_for(venv: Path, why: str, last: str) -> None:
    said = gate(venv, deaf=1, why=why)
    assert said[0] == {"waiting": "the head to answer", "last": last}
    assert "proved" in said[-1]


@pytest.mark.parametrize(
    ("told", "stage", "why"),
    [
        ({"deaf": 99, "why": "no head"}, "head", "no head"),
        ({"nodes": BOTH[:1]}, "nodes", "not every host joined with all of its GPUs"),
        ({"nodes": [BOTH[0], ["192.168.0.2", 1]]}, "nodes", "not every host joined with all of its GPUs"),
        ({"nodes": [*BOTH, ["9.9.9.9", 1]]}, "nodes", "not every host joined with all of its GPUs"),
        ({"free": 3}, "placement", "Ray has 3 of 4 GPUs free: another task in this Ray still holds the others"),
        ({"tasks": [*TOUCHED[:3], TOUCHED[0]]}, "gpus", "4 tasks saw only 3 distinct GPUs"),
        ({"tasks": [*TOUCHED[:3], TOUCHED[3] | {"cuda": "cuInit: error 802"}]}, "gpus", "cuInit: error 802"),
        ({"tasks": [*TOUCHED[:3], {"problem": "nvidia-smi -i 3: gone"}]}, "gpus", "nvidia-smi -i 3: gone"),
        ({"tasks": [*TOUCHED[:3], "the worker died"]}, "gpus", "the worker died"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_is_said(venv: Path, told: dict[str, Any], stage: str, why: str) -> None:
    last = gate(venv, patience=0, **told)[-1] if stage in ("head", "nodes") else gate(venv, **told)[-1]
    assert (last["failed"], last["why"]) == (stage, why)
    if stage == "nodes":
        assert last["joined"] == dict(told["nodes"])


def test_cuda_that_could_not_be_checked_is_no_failure(venv: Path) -> None:
    said = gate(venv, tasks=[one | {"cuda": "not checked"} for one in TOUCHED])
    assert {one.cuda for one in ray.gpu_answers(said[-1])} == {"not checked"}


def test_the_gate_ends_with_whoever_asked(venv: Path) -> None:
    channel = gate_of(venv, 600, deaf=100000, why="not yet")
    assert channel.read_line(30)
    channel.close()
    assert channel.result().status == 1
