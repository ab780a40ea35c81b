"""The model: on every host, and the same."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.check import Evidence
from cluster.preflight.model import equal, present, space
from cluster.values.facts import Hub, ModelFiles
from tests.cluster.builders import facts, inventory, machine, view
from tests.cluster.preflight.findings import differing, found_on_head

SIZES = {"config.json": 10, "a.safetensors": 100}
LACKING = ModelFiles(path="/m", sizes={"config.json": 10}, problem="/m lacks a.safetensors")


def model(**changed: int) -> dict[str, Any]:
    return {"model": ModelFiles(path="/m", sizes=SIZES | changed)}


@pytest.mark.parametrize(("download", "severity"), [(False, "blocking"), (True, "warning")])
def test_a_model_that_is_not_whole(download: bool, severity: str) -> None:
    one = inventory(model={"download": download})
    assert found_on_head(present, {"model": LACKING}, one) == [(severity, "/m lacks a.safetensors")]


def test_a_model_that_is_there() -> None:
    assert found_on_head(present, {}) == []


@pytest.mark.parametrize(
    ("source", "cure"),
    [("org/name", "hf download org/name  (on gpu-a)"), ("/models/m", "copy /models/m to gpu-a")],
)
def test_the_cure_is_a_command_to_copy(source: str, cure: str) -> None:
    one = inventory(model={"id": source})
    (finding,) = present(one, one.head, facts(one.head, model=LACKING))
    assert finding.cure.startswith(cure)


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        ((model(), model()), []),
        ((model(),), []),
        ((model(), model(**{"README.md": 1, ".gitattributes": 2, "license.txt": 3, ".x.json": 4})), []),
        (
            (model(), model(**{"extra.json": 1})),
            [("gpu-b", "the files differ from gpu-a: extra.json (only on this host)")],
        ),
        (
            (model(), model(), model(**{"config.json": 11, "z.py": 1})),
            [
                (
                    "gpu-c",
                    "the files differ from gpu-a, gpu-b: config.json (11 bytes, not 10), z.py (only on this host)",
                )
            ],
        ),
        (
            (model(**{"merges.txt": 1}), model(), model()),
            [("gpu-a", "the files differ from gpu-b, gpu-c: merges.txt (only on this host)")],
        ),
        (
            (model(), model(), {"model": ModelFiles(path="/m", sizes={"config.json": 10})}),
            [("gpu-c", "the files differ from gpu-a, gpu-b: a.safetensors (missing)")],
        ),
        (({"model": LACKING}, model()), []),
        (
            ({"model": LACKING}, model(), model(**{"z.py": 1})),
            [("gpu-c", "the files differ from gpu-b: z.py (only on this host)")],
        ),
        (
            (*[model()] * 6, *[model(**{f"{n}.py": n for n in range(5)})] * 2),
            [
                (
                    "",
                    "gpu-g, gpu-h: the files differ from gpu-a, gpu-b, gpu-c, gpu-d and 2 more: 0.py (only on "
                    "this host), "
                    "1.py (only on this host), 2.py (only on this host) and 2 more",
                )
            ],
        ),
    ],
)
def test_the_same_on_every_host(each: tuple[dict[str, Any], ...], expected: list[tuple[str, str]]) -> None:
    assert differing(equal, *each) == expected


def room(free_mib: int | None, held_mib: int = 0) -> dict[str, Any]:
    hub = Hub(path="/hub", free_mib=free_mib, held_mib=held_mib)
    return {"model": LACKING, "machine": machine(hub=hub)}


def spaces(*each: dict[str, Any], model: str = "org/name", download: bool = True) -> list[tuple[str, str, str]]:
    """Host, severity and what was found, where `each` goes over the facts of one host after the other."""
    one = inventory(len(each), model={"id": model, "download": download})
    seen = {spec.name: view(spec, **changed) for spec, changed in zip(one.hosts, each, strict=True)}
    return [(finding.host, finding.severity, finding.found) for finding in space(one, Evidence(seen))]


ERNIE = "baidu/ERNIE-4.5-VL-424B-A47B-PT"
TIGHT = ("gpu-a", "blocking", "683 GiB free at /hub")


def test_room_is_wanted_only_where_the_model_will_be_fetched() -> None:
    assert spaces(room(0), model=ERNIE, download=False) == []
    assert spaces({}, model=ERNIE) == []
    assert spaces({"model": LACKING, "machine": machine(hub=None)}, model="/models/m") == []


def test_room_for_a_model_of_known_size() -> None:
    assert spaces(room(900_000), model=ERNIE) == []
    assert spaces(room(700_000), room(900_000), model=ERNIE) == [TIGHT]
    assert spaces(room(700_000, held_mib=200_000), model=ERNIE) == []


def test_a_host_that_has_the_model_tells_its_size() -> None:
    whole = {"model": ModelFiles(path="/m", sizes={"config.json": 10, "model.safetensors": 800_000 << 20})}
    assert spaces(room(700_000), whole) == [TIGHT]
    assert spaces(room(810_000), whole) == []


def test_an_unknown_size_is_said() -> None:
    assert spaces(room(700_000)) == [
        ("gpu-a", "unchecked", "683 GiB free at /hub; the size of the model is unknown"),
    ]
    assert spaces(room(None), model=ERNIE) == [
        ("gpu-a", "unchecked", "an unknown number of GiB free at /hub; the size of the model is unknown"),
    ]
