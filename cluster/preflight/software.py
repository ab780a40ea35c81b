"""What is installed in the venv, and what its programs will find."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_each, of_tried, untried
from cluster.values import Facts, Finding, VenvCheck
from cluster.views import TrialResults

_TOOLS = "ninja and a C compiler on the PATH of our units"

#: What torch says -> what it means.
_CUDA = (
    ("802|not yet initialized", "the NVSwitches are not set up: nvidia-fabricmanager is not there, or not of the "
     "driver's version"),
    ("803|unsupported display driver|driver version is insufficient|too old", "the driver is older than the CUDA "
     "that this torch was built for"),
    ("without CUDA", "pip took a torch for CPUs: it was given no index of builds with CUDA"),
    ("out of memory", "somebody holds the memory of a GPU"),
    ("libcuda|No CUDA GPUs|NVIDIA driver", "the driver's library is not there: in a container, "
     "NVIDIA_DRIVER_CAPABILITIES lacks `compute`"),
)  # fmt: skip


def tools(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """PATH is that of our units: the venv's own programs before those of a session without a terminal."""
    if not facts.python_is_venvs:
        return
    if not facts.software.ninja:
        yield blocking(
            "no ninja",
            wanted=_TOOLS,
            why="FlashInfer builds its sampler at the start: every rank dies in the profile run, "
            "with `No such file or directory: 'ninja'`",
            cure=f"uv pip install --python {inventory.runtime.venv}/bin/python ninja",
            source="measured with vLLM 0.26 on H200",
        )
    if not facts.software.compiler:
        yield blocking(
            "no C compiler",
            wanted=_TOOLS,
            why="Triton builds its launchers at the start: `Failed to find C compiler`",
            cure="apt-get install build-essential, or set CC under `environment:`",
            source="Triton: runtime/build.py",
        )


def remote_code(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    missing = facts.software.unimportable if facts.python_is_venvs and not facts.model.problem else ()
    if missing:
        yield blocking(
            f"{', '.join(missing)} not in {inventory.runtime.venv}",
            wanted="what the model's own code imports",
            why="the ranks, or the processor of images, would fail while they load",
            cure=f"uv pip install --python {inventory.runtime.venv}/bin/python {' '.join(missing)}",
            source="vllm#38429 (ERNIE-4.5-VL: decord)",
        )


def cuda(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
    problem = trials.venv.cuda if isinstance(trials.venv, VenvCheck) else None
    if problem:
        why = next((why for sign, why in _CUDA if re.search(sign, problem)), "every rank on this host would fail")
        yield blocking(
            problem,
            wanted=f"a kernel on each of {spec.gpus} GPUs, through the venv's torch",
            why=why,
            cure="see `nvidia-smi` and `systemctl status nvidia-fabricmanager`; then, in the venv: "
            "`python -c 'import torch; torch.cuda.init()'`",
            source="pytorch#35710, huggingface_hub#4128",
        )


def configuration(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
    problem = trials.venv.model if isinstance(trials.venv, VenvCheck) else None
    if problem:
        trusted = "--trust-remote-code" in inventory.serve.arguments
        yield blocking(
            problem,
            wanted="a configuration that the venv's transformers can read",
            why="vLLM reads it in the same way, and each rank once more",
            cure="a `revision:` of the model that fits this transformers (ERNIE-4.5-VL: refs/pr/17), or the "
            "transformers that its code was written for"
            if trusted
            else "where the model brings code of its own: `--trust-remote-code` under `serve: arguments:`",
            source="vllm#38735, vllm#38429",
        )


CHECKS = (
    of_each("tools-on-path", tools),
    of_each("remote-code", remote_code),
    of_tried("cuda", cuda),
    untried(
        "cuda",
        lambda trials: trials.venv,
        wanted="a kernel on each GPU, through the venv's torch",
        why="whether CUDA works on this host, and the model can be read, is not known",
    ),
    of_tried("model-config", configuration),
)
