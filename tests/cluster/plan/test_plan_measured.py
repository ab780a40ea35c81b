"""What a plan says of real starts on an H100 80GB, beside what vLLM said of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster.plan import Answers, plan
from cluster.plan.asking import Serving
from cluster.values import PlannedFit
from sandbox.real import models
from tests.cluster.builders import inventory, seen
from tests.cluster.recorded import recorded

GIB = 1 << 30
_SERVED = ("--trust-remote-code", "--load-format", "dummy", "--max-model-len", "16384")
_TEXT = (*_SERVED, "--language-model-only")
_IMAGES = (*_SERVED, "--limit-mm-per-prompt", '{"image": 1, "video": 0}')

#: The log, the model's folder, hosts of one GPU each, and the arguments.
STARTS: list[tuple[str, str, int, tuple[str, ...]]] = [
    ("gpu-28b-tp1", "vl28b", 1, _TEXT),
    ("gpu-28b-tp2-ray", "vl28b", 2, _TEXT),
    ("gpu-424b-8L-tp2-ray", "vl424b-8L", 2, _TEXT),
    ("gpu-28b-images-tp1", "vl28b-images", 1, _IMAGES),
]
each_start = pytest.mark.parametrize(
    ("log", "model", "hosts", "arguments"), STARTS, ids=[one[0] for one in STARTS]
)


def planned(folder: Path, model: str, hosts: int, arguments: tuple[str, ...]) -> PlannedFit:
    models.write(folder)
    config: dict[str, Any] = json.loads((folder / model / "config.json").read_text())
    one = inventory(hosts, gpus=1, serve={"arguments": arguments})
    serving = Serving(config=config, problem="", options=None, options_problem="-")
    found = plan(one, Answers(seen(one), serving)).fit
    assert found is not None
    return found


def said(log: str, sign: str) -> float:
    """The figures of all ranks are the same."""
    (figure,) = set(re.findall(sign, recorded(f"vllm/{log}.log")))
    return float(figure.replace(",", ""))


@each_start
def test_the_weights(tmp_path: Path, log: str, model: str, hosts: int, arguments: tuple[str, ...]) -> None:
    weights = planned(tmp_path, model, hosts, arguments).largest.weights / GIB
    assert weights == pytest.approx(said(log, r"Model loading took ([\d.]+) GiB"), rel=0.03)


@each_start
def test_the_cache(tmp_path: Path, log: str, model: str, hosts: int, arguments: tuple[str, ...]) -> None:
    """Less than there was in all of them: what is not in the plan is not promised."""
    measured = said(log, r"KV cache size: ([\d,]+) tokens")
    assert 0.9 * measured < (planned(tmp_path, model, hosts, arguments).kv_tokens or 0) < measured


@each_start
def test_it_fits(tmp_path: Path, log: str, model: str, hosts: int, arguments: tuple[str, ...]) -> None:
    found = planned(tmp_path, model, hosts, arguments)
    assert found.fits
    assert found.budget is not None
    assert found.budget / GIB == pytest.approx(
        said(log, r"Desired GPU memory utilization is \(0.92, ([\d.]+)"), rel=0.002
    )
