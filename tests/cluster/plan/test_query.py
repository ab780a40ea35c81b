"""What the head says of the model and of its vLLM: the program run for real, with a vLLM that only has help."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import HostError, MalformedAnswer
from cluster.inventory import Inventory
from cluster.plan import ask
from cluster.plan.query import VllmOptions, vllm_options
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from tests.cluster import builders
from tests.cluster.builders import inventory
from tests.cluster.launch.test_unit import sent
from tests.doubles import ScriptedChannel, ScriptedTransport, failed

HELP = Path(__file__).parents[2] / "recorded/vllm/serve-help.txt"


def venv(folder: Path, script: str) -> str:
    """Makes a venv with the Python of the tests, and a `vllm` that is this script."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    (folder / "bin/vllm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/vllm").chmod(0o755)
    return str(folder)


def on(where: str, model: Path | str = "/models/ernie") -> Inventory:
    return inventory(hosts=1, model={"id": str(model)}, runtime={"venv": where})


def asked(one: Inventory) -> VllmOptions:
    return Host("gpu-a", LocalTransport()).attend(vllm_options(one))


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "config.json").write_text(content)
    return path


def test_the_help_of_vllm_names_its_options(tmp_path: Path) -> None:
    answers = asked(on(venv(tmp_path / "venv", f'test "$1 $2" = "serve --help=all" && cat {HELP}')))
    assert answers.options is not None
    assert {"--max-model-len", "--enforce-eager", "-asc", "--no-enforce-eager", "--quantization", "-q"} <= set(
        answers.options
    )
    # Only what a line introduces, not what its explanation names.
    assert not {"--json-arg", "--task"} & set(answers.options)
    assert answers.options_problem == ""


def test_no_gpu_is_looked_at_for_that(tmp_path: Path) -> None:
    answers = asked(on(venv(tmp_path / "venv", 'echo "  --devices-${CUDA_VISIBLE_DEVICES:-none}-width-$COLUMNS"')))
    assert answers.options == ("--devices-none-width-200",)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo why >&2; exit 3", "`vllm serve --help=all` failed: why"),
        ("exit 0", "`vllm serve --help=all` failed:"),
        ("echo nothing of use", "`vllm serve --help=all` failed:"),
    ],
)
def test_a_vllm_without_help(tmp_path: Path, script: str, problem: str) -> None:
    answers = asked(on(venv(tmp_path / "venv", script)))
    assert (answers.options, answers.options_problem) == (None, problem)


def test_no_vllm_at_all(tmp_path: Path) -> None:
    where = venv(tmp_path / "venv", "")
    os.unlink(f"{where}/bin/vllm")
    answers = asked(on(where))
    assert (answers.options, answers.options_problem) == (None, f"{where}/bin/vllm: No such file or directory")


def test_the_configuration_of_the_model(tmp_path: Path) -> None:
    where = venv(tmp_path / "venv", "echo '  --a'")
    answers = asked(on(where, folder(tmp_path / "model", '{"a": [1, null]}')))
    assert (answers.config, answers.problem) == ({"a": [1, None]}, "")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        (" " * (1 << 20), "is too large for a configuration"),
    ],
)
def test_a_configuration_that_is_none(tmp_path: Path, content: str, problem: str) -> None:
    where = venv(tmp_path / "venv", "echo '  --a'")
    answers = asked(on(where, folder(tmp_path / "model", content)))
    assert (answers.config, answers.problem) == (None, f"{tmp_path}/model/config.json {problem}")


def test_one_that_is_not_there(tmp_path: Path) -> None:
    answers = asked(on(venv(tmp_path / "venv", "echo '  --a'"), tmp_path / "none"))
    assert (answers.config, answers.problem) == (None, f"{tmp_path}/none/config.json: No such file or directory")


def test_what_is_sent() -> None:
    one = inventory(each={"environment": (("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/hub"))}, model={"revision": "v1"})
    model = {"id": one.model.id, "revision": "v1", "hf_home": "/hf", "hf_hub_cache": "/hub"}
    assert sent(vllm_options(one).command) == {"venv": "/opt/vllm", "model": model}


GOOD: dict[str, Any] = {"config": {"a": 1}, "problem": "", "options": ["--a"], "options_problem": ""}


def fleet(one: Inventory, channel: ScriptedChannel) -> tuple[Fleet, dict[str, ScriptedTransport]]:
    transports = {
        spec.name: ScriptedTransport(
            {"facts": builders.facts(spec).model_dump_json()},
            {"vllm_options": channel} if spec.role == "head" else {},
        )
        for spec in one.hosts
    }
    return Fleet([Host(name, transport) for name, transport in transports.items()]), transports


def test_each_host_is_asked_once_and_the_head_for_the_model_as_well() -> None:
    one = inventory()
    hosts, transports = fleet(one, ScriptedChannel([json.dumps(GOOD)]))
    answers = ask(one, hosts)
    assert {name: sorted(one.kinds) for name, one in transports.items()} == {
        "gpu-a": ["facts", "vllm_options"],
        "gpu-b": ["facts"],
    }
    assert isinstance(answers.vllm_options, VllmOptions)
    assert answers.vllm_options.options == ("--a",)
    assert all(view.facts for view in answers.seen.values())


@pytest.mark.parametrize(
    "channel",
    [ScriptedChannel(["{}"]), ScriptedChannel(["nothing"]), ScriptedChannel(result=failed(1, "no"))],
)
def test_an_answer_that_cannot_be_read_is_no_end(channel: ScriptedChannel) -> None:
    one = inventory()
    answers = ask(one, fleet(one, channel)[0])
    assert isinstance(answers.vllm_options, HostError)
    assert isinstance(answers.vllm_options, MalformedAnswer) or answers.vllm_options.host == "gpu-a"
