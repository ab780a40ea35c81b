"""The model: on every host, and the same."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.model import equal, present
from cluster.values import ModelFiles
from tests.cluster.builders import facts, inventory
from tests.cluster.preflight.findings import differing, found

SIZES = {"config.json": 10, "a.safetensors": 100}
LACKING = ModelFiles(path="/m", sizes={"config.json": 10}, problem="/m lacks a.safetensors")


def model(**changed: int) -> dict[str, Any]:
    return {"model": ModelFiles(path="/m", sizes=SIZES | changed)}


@pytest.mark.parametrize(("download", "severity"), [(False, "blocking"), (True, "warning")])
def test_a_model_that_is_not_whole(download: bool, severity: str) -> None:
    one = inventory(model={"download": download})
    assert found(present, {"model": LACKING}, one) == [(severity, "/m lacks a.safetensors")]


def test_a_model_that_is_there() -> None:
    assert found(present, {}) == []


@pytest.mark.parametrize(
    ("source", "cure"),
    [("org/name", "hf download org/name  (on gpu-a)"), ("/models/m", "copy /models/m to gpu-a")],
)
def test_the_cure_is_a_command_to_copy(source: str, cure: str) -> None:
    one = inventory(model={"id": source})
    (finding,) = present(one, one.head, facts(one.head, model=LACKING))
    assert finding.cure.startswith(cure)


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ((model(), model()), []),
        ((model(),), []),
        ((model(), model(extra=1)), [("gpu-b", "differs from gpu-a in extra")]),
        (
            (model(), model(), model(**{"config.json": 11, "z": 1})),
            [("gpu-c", "differs from gpu-a in config.json, z")],
        ),
        (({"model": LACKING}, model()), []),
        (({"model": LACKING}, model(), model(z=1)), [("gpu-c", "differs from gpu-b in z")]),
    ],
)
def test_the_same_on_every_host(each: tuple[dict[str, Any], ...], said: list[tuple[str, str]]) -> None:
    assert differing(equal, *each) == said
