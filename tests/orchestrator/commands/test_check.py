"""`check`: the exit code of what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.command import Result
from cluster.errors import Unreachable
from tests.cluster import builders
from tests.doubles import Script, ScriptedTransport
from tests.orchestrator.commands.program import run
from tests.orchestrator.scripted_stage import facts_answer, reach_answer, trial_channels

LOST = Unreachable("gpu-b", "connect", cause="no route")
NO_PYTHON = Result(127, "", "python3: not found")


def hosts(*looks: Script) -> dict[str, ScriptedTransport]:
    return {
        spec.name: ScriptedTransport({"facts": look, "port_probe": reach_answer}, trial_channels())
        for spec, look in zip(builders.inventory(gpus=1).hosts, looks, strict=True)
    }


def facts(**overrides: object) -> str:
    return facts_answer(builders.facts(builders.inventory(gpus=1).hosts[0], **overrides))


@pytest.mark.parametrize(
    ("looks", "code"),
    [
        ((LOST, LOST), 4),
        ((NO_PYTHON, LOST), 3),
        ((NO_PYTHON, NO_PYTHON), 3),
        ((facts(python_is_venvs=False), LOST), 3),
    ],
)
def test_only_hosts_that_are_lost_are_unreachable(tmp_path: Path, looks: tuple[Script, ...], code: int) -> None:
    assert run(hosts(*looks), tmp_path, "check") == code
