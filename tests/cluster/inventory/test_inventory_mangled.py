"""Whatever is in the file: an Inventory or an InventoryError, and nothing that a person should not see."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.errors import InventoryError
from cluster.inventory import Inventory, load
from tests.cluster.inventories import SMALL

WORDS = (
    "\n|: |- |{|}|[|]|&a |*a|<<: |!!int |? |>|%YAML 1.1\n|---\n|'|\"|\\U|${|${A}|$${|null|yes"
    "|.inf|0x1F|1:30|2024-13-99|=|\t|~"
    "|jump: gpu-a|jump: {address: a, jump: gpu-b}|api_key: {file: a}|environment: {A: ~}|gpu_ids: [0]"
)
PIECES = st.text(max_size=8) | st.sampled_from(WORDS.split("|"))
EDITS = st.lists(st.tuples(st.integers(0, len(SMALL)), st.integers(0, 12), PIECES), min_size=1, max_size=4)
#: The folder is the same for all examples on purpose: each writes the whole file anew.
QUICK = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def mangled(edits: list[tuple[int, int, str]]) -> str:
    text = SMALL
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    return text


def try_to_load(folder: Path, content: bytes) -> None:
    path = folder / "inventory.yaml"
    path.write_bytes(content)
    try:
        outcome: object = load(path, {"A": "sk-secret"})
    except InventoryError as error:
        outcome = error
    assert isinstance(outcome, Inventory | InventoryError)
    for problem in outcome.problems if isinstance(outcome, InventoryError) else ():
        assert problem.startswith(f"{path}:")
        assert problem.isprintable()


@QUICK
@given(edits=EDITS)
def test_mangled_yaml(tmp_path: Path, edits: list[tuple[int, int, str]]) -> None:
    try_to_load(tmp_path, mangled(edits).encode("utf-8", "surrogatepass"))


@QUICK
@given(
    content=st.binary(max_size=60)
    | st.text(alphabet="{}[]:-,&*!|>'\"%@`#?\n \tab0.~$\\", max_size=60).map(str.encode)
)
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    try_to_load(tmp_path, content)


@pytest.mark.parametrize(
    "text", ["a: " + 5000 * "9", "%YAML " + 5000 * "9" + ".1\n---\na: b", "a: " + 20_000 * "["]
)
def test_what_has_broken_parsers(tmp_path: Path, text: str) -> None:
    try_to_load(tmp_path, text.encode())
