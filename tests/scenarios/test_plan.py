"""`plan` on hosts: what they say is in it, and nothing is left of it. The main job shows that `up` runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


def planned(operator: Operator, inventory: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = operator.run("plan", inventory, *words, "--output", "json")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [one["name"] for one in found["plan"]["findings"]]


def test_hosts_that_are_asked_and_left_as_they_were(untouched: Hosts, operator: Operator, tmp_path: Path) -> None:
    found = planned(operator, untouched.inventory, "--hosts")
    assert found["plan"]["model"]["source"] == "config.json on node0"
    assert (found["fits"], found["plan"]["fit"]["measured"]) == (True, True)
    # 64 MiB by blocks of 16: a token takes 2 x 3 layers x 1 head x 32 x 4 bytes.
    assert found["kv_cache_tokens"] == (64 << 20) // 768 // 16 * 16
    assert (names(found), found["plan"]["unknown"]) == (["enforce-eager"], [])
    untouched.assert_clean(*HOSTS)

    def misspell(one: dict[str, Any]) -> None:
        one["serve"]["arguments"].append("--max-modle-len")

    wrong = planned(operator, untouched.edited(tmp_path / "wrong.yaml", misspell), "--hosts", code=3)
    assert names(wrong) == ["unknown-option", "enforce-eager"]
    untouched.assert_clean(*HOSTS)
