"""What the venv's own libraries can do: with stand-ins for torch and transformers, and once with the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.inventory import Inventory
from cluster.probes.active_checks import venv_check
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from cluster.values import GpuProcess, VenvCheck
from cluster.values.facts import ModelFiles
from sandbox import model
from sandbox.layout import MODEL
from sandbox.root import place
from tests.cluster.builders import card, facts, inventory
from tests.cluster.remote.local import VENV

TORCH = """
import json, os, pathlib
told = json.loads(pathlib.Path(__file__).with_name("told.json").read_text())
__version__ = "2.9.1"
class version:
    cuda = told["build"]
class cuda:
    @staticmethod
    def init():
        if told["init"]:
            raise RuntimeError(told["init"])
    @staticmethod
    def device_count():
        return len(os.environ.get("CUDA_VISIBLE_DEVICES", told["all"]).split(","))
def device(kind, index):
    return index
class ones:
    def __init__(self, size, device):
        if device == told["bad"]:
            raise RuntimeError("CUDA error: uncorrectable ECC error\\nCompile with TORCH_USE_CUDA_DSA")
    def add_(self, other):
        return self
    def item(self):
        return 2.0
"""
TRANSFORMERS = """
import json, pathlib
told = json.loads(pathlib.Path(__file__).parents[1].joinpath("torch/told.json").read_text())
class Auto:
    def __init__(self, which):
        self.which = which
    def from_pretrained(self, path, **words):
        assert words["local_files_only"]
        if told[self.which]:
            raise ValueError(told[self.which])
        return object()
AutoConfig, AutoProcessor = Auto("config"), Auto("processor")
"""
VLLMS_CONFIG = """
from transformers import told
def get_config(model, trust_remote_code, revision):
    if told["vllm"]:
        raise ValueError(told["vllm"])
"""
WELL = {"build": "13.0", "init": "", "all": "0,1", "bad": None, "config": "", "processor": "", "vllm": ""}


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    sources = {"torch": TORCH, "transformers": TRANSFORMERS, "vllm/transformers_utils/config": VLLMS_CONFIG}
    for name, source in sources.items():
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text(source)
    return folder


def tried(venv: Path, tmp_path: Path, one: Inventory | None = None, **libraries: Any) -> VenvCheck:
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "torch" / "told.json").write_text(json.dumps(WELL | libraries))
    one = one or inventory(1, 2, runtime={"venv": str(venv)})
    known = facts(one.head, state=str(tmp_path / "state"), model=ModelFiles(path=str(tmp_path), sizes={}))
    return Host("gpu-a", LocalTransport()).attend(venv_check(one, one.head, known))


def test_all_is_well(venv: Path, tmp_path: Path) -> None:
    assert tried(venv, tmp_path) == VenvCheck(cuda="", model="")


@pytest.mark.parametrize(
    ("libraries", "problem"),
    [
        ({"build": None}, "torch 2.9.1 is a build without CUDA"),
        ({"init": "Error 802: system not yet initialized"}, "RuntimeError: Error 802: system not yet initialized"),
        ({"all": "0"}, "torch sees 1 of 2 GPUs"),
        (
            {"bad": 1},
            "RuntimeError: CUDA error: uncorrectable ECC error … Compile with TORCH_USE_CUDA_DSA",
        ),
    ],
)
def test_cuda(venv: Path, tmp_path: Path, libraries: dict[str, Any], problem: str) -> None:
    assert tried(venv, tmp_path, **libraries) == VenvCheck(cuda=problem, model="")


def test_our_gpus_are_those_that_the_inventory_names(venv: Path, tmp_path: Path) -> None:
    one = inventory(1, 2, each={"gpu_ids": (0, 5)}, runtime={"venv": str(venv)})
    assert tried(venv, tmp_path, one, all="0,1,2,3,4,5").cuda == ""


def test_a_gpu_that_is_in_use_is_not_tried(venv: Path) -> None:
    one = inventory(1, 1, runtime={"venv": str(venv)})
    used = card(0, GpuProcess(pid=7, name="vllm", used_mib=70_000, ours=True))
    known = facts(one.head, gpus=(used,), model=ModelFiles(path="/x", sizes={}, problem="no model"))
    assert Host("gpu-a", LocalTransport()).attend(venv_check(one, one.head, known)) == VenvCheck(
        cuda=None, model=None
    )


def test_a_configuration_that_neither_library_can_read(venv: Path, tmp_path: Path) -> None:
    problem = "KeyError"
    assert tried(venv, tmp_path, config=problem, vllm="no").model == f"ValueError: {problem}"


def test_what_only_vllm_can_read_is_enough(venv: Path, tmp_path: Path) -> None:
    assert tried(venv, tmp_path, config="does not recognize this architecture").model == ""


def test_the_processor_of_images_is_tried_where_there_is_one(venv: Path, tmp_path: Path) -> None:
    problem = "No module named 'decord'"
    assert tried(venv, tmp_path, processor=problem).model == ""
    (tmp_path / "preprocessor_config.json").write_text("{}")
    assert tried(venv, tmp_path, processor=problem).model == f"ValueError: {problem}"


def test_a_configuration_that_vllm_reads_in_another_way_is_left_to_it(venv: Path, tmp_path: Path) -> None:
    one = inventory(1, 2, runtime={"venv": str(venv)}, serve={"arguments": ("--config-format=mistral",)})
    assert tried(venv, tmp_path, one, config="no", vllm="no").model is None


@pytest.mark.parametrize(("trust", "problem"), [(True, ""), (False, "trust_remote_code")])
def test_the_real_libraries_and_a_model_with_code_of_its_own(tmp_path: Path, trust: bool, problem: str) -> None:
    model.write(tmp_path)
    folder = place(tmp_path, MODEL)
    arguments = ("--trust-remote-code",) * trust
    one = inventory(1, 2, runtime={"venv": VENV}, serve={"arguments": arguments})
    state = tmp_path / "state"
    known = facts(one.head, state=str(state), model=ModelFiles(path=str(folder), sizes={}))
    trial = Host("gpu-a", LocalTransport()).attend(venv_check(one, one.head, known))
    assert trial.cuda is None
    assert trial.model is not None
    assert problem in trial.model
    assert bool(problem) == bool(trial.model)
    assert not list(folder.rglob("__pycache__"))
