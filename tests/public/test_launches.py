"""What is launched, to the letter: a changed word would launch anew whatever an older version has launched."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.public.golden import holds
from tests.public.whole import Whole

ROOT = Path(__file__).parents[2]
EXAMPLES = (ROOT / "inventory.yaml", *sorted((ROOT / "examples").glob("*.yaml")))


def test_what_a_host_is_sent_to_launch(whole: Whole) -> None:
    """The first `up` sends argument lists, environments, secrets and fingerprints."""
    first = whole.payloads()["keeper"][:3]
    holds("launches", {f"{one['record']['host']} {one['unit']}": _launch(one) for one in first}, "sent")


def _launch(payload: dict[str, Any]) -> dict[str, Any]:
    record = payload["record"]
    return payload | {"argv": shlex.join(payload["argv"]), "record": record | {"argv": shlex.join(record["argv"])}}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_what_a_plan_says_would_be_launched(path: Path, whole: Whole) -> None:
    whole.ask(path.stem, "plan", path)
    plan = whole.documents.pop(path.stem)[0]["plan"]
    units = {f"{host['name']} {unit['name']}": unit for host in plan["hosts"] for unit in host["units"]}
    shown = {name: unit | {"command": shlex.join(unit["command"])} for name, unit in units.items()}
    holds("launches", shown, f"plan {path.name}")
