"""What a plan says of real starts on H100s of 80 GB and on H200s, beside what vLLM said of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.gpu_lab import models
from cluster.model import Fit
from cluster.plan import Answers, plan
from cluster.plan.query import VllmOptions
from tests.cluster.builders import card, inventory, seen
from tests.cluster.recorded import recorded

GIB = 1 << 30
_SERVED = ("--trust-remote-code", "--load-format", "dummy", "--max-model-len", "16384")
_TEXT = (*_SERVED, "--language-model-only")
_KERNELS = (*_TEXT, "--compilation-config", '{"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}')
_FP8 = (*_TEXT, "--quantization", "fp8_per_tensor")
#: As much as there is of a GPU of 80 GB.
_FP8_80G = (*_FP8, "--gpu-memory-utilization", "0.518")
_IMAGES = (*_SERVED, "--limit-mm-per-prompt", '{"image": 1, "video": 0}')

#: Mebibytes, as `nvidia-smi` gives them.
_H100, _H200 = 81559, 143771


class Start(NamedTuple):
    """A start that was recorded: the log, the model's folder, hosts, GPUs of each, their memory, and arguments."""

    log: str
    model: str
    hosts: int
    gpus: int
    memory_mib: int
    arguments: tuple[str, ...]


STARTS = [
    Start("gpu-28b-tp1", "vl28b", 1, 1, _H100, _TEXT),
    Start("gpu-28b-tp2-ray", "vl28b", 2, 1, _H100, _TEXT),
    Start("gpu-424b-8L-tp2-ray", "vl424b-8L", 2, 1, _H100, _TEXT),
    Start("gpu-28b-images-tp1", "vl28b-images", 1, 1, _H100, _IMAGES),
    Start("gpu-h200-28b-tp1", "vl28b", 1, 1, _H200, _TEXT),
    Start("gpu-h200-28b-kernels-tp1", "vl28b", 1, 1, _H200, _KERNELS),
    Start("gpu-h200-424b-8L-tp4", "vl424b-8L", 1, 4, _H200, _TEXT),
    Start("gpu-h200-424b-27L-tp4", "vl424b-27L", 1, 4, _H200, _TEXT),
    Start("gpu-h200-424b-27L-fp8-80g-tp4", "vl424b-27L", 1, 4, _H200, _FP8_80G),
    Start("gpu-h200-424b-fp8-tp4", "vl424b", 1, 4, _H200, _FP8),
]
each_start = pytest.mark.parametrize("start", STARTS, ids=[start.log for start in STARTS])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all models, made once: a word for each of a hundred thousand tokens takes its time."""
    made = tmp_path_factory.mktemp("models")
    models.write(made)
    return made


def planned(folder: Path, start: Start) -> Fit:
    config: dict[str, Any] = json.loads((folder / start.model / "config.json").read_text())
    one = inventory(start.hosts, gpus=start.gpus, serve={"arguments": start.arguments})
    cards = tuple(card(index, memory_mib=start.memory_mib) for index in range(start.gpus))
    serving = VllmOptions(config=config, problem="", options=None, options_problem="-")
    fit = plan(one, Answers(seen(one, gpus=cards), serving)).fit
    assert fit is not None
    return fit


def logged(log: str, sign: str) -> float:
    """The figures of all ranks are the same."""
    (figure,) = set(re.findall(sign, recorded(f"vllm/{log}.log")))
    return float(figure.replace(",", ""))


@each_start
def test_the_weights(folder: Path, start: Start) -> None:
    weights = planned(folder, start).largest.weights / GIB
    assert weights == pytest.approx(logged(start.log, r"Model loading took ([\d.]+) GiB"), rel=0.03)


@each_start
def test_the_cache(folder: Path, start: Start) -> None:
    """Less than there was in all of them: what is not in the plan is not promised."""
    measured = logged(start.log, r"KV cache size: ([\d,]+) tokens")
    assert 0.9 * measured < (planned(folder, start).kv_tokens or 0) < measured


@each_start
def test_it_fits(folder: Path, start: Start) -> None:
    fit = planned(folder, start)
    assert fit.fits
    assert fit.budget is not None
    assert fit.budget / GIB == pytest.approx(
        logged(start.log, r"Desired GPU memory utilization is \([\d.]+, ([\d.]+)"), rel=0.002
    )
