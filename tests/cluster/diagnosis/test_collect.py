"""What is made of what hosts say, however it ended."""

from __future__ import annotations

import base64
import json
import resource
import zlib

import pytest

from cluster.command import Result
from cluster.diagnosis.bundle import missing
from cluster.diagnosis.collect import Collected, CollectRequest, Files, collect, collected
from cluster.errors import Unreachable
from cluster.transport.host import Host
from tests.cluster.builders import inventory
from tests.doubles import ScriptedTransport
from tests.orchestrator.scripted_stage import payload

BROKEN = Unreachable("gpu-a", "collect its logs and state", cause="the connection broke while the command ran")


def line(name: str, text: str) -> str:
    """Returns the output of the program on a host."""
    return json.dumps({"name": name, "packed": base64.b64encode(zlib.compress(text.encode())).decode()})


def test_texts_and_what_was_left_out() -> None:
    said = "\n".join(["Welcome!", line("vllm/log", "one\n"), line("kernel.log", ""), '{"left_out": ["ray/log"]}'])
    assert collected("gpu-a", said) == Collected("gpu-a", {"vllm/log": "one\n", "kernel.log": ""}, ("ray/log",))


def test_a_line_that_was_cut_off_costs_that_line() -> None:
    said = "\n".join([line("a", "one"), line("b", "two")[:-9], '{"name": "c", "packed": "no base64"}'])
    assert collected("gpu-a", said).texts == {"a": "one"}


def test_what_came_before_it_went_wrong_is_kept() -> None:
    host = Host("gpu-a", ScriptedTransport({"collect": BROKEN}))
    assert collect(host, inventory(), CollectRequest(())) == Collected("gpu-a", {}, (), BROKEN)


def test_a_collector_that_was_killed_says_nothing_of_what_it_packed() -> None:
    """Nobody can read that, nor take secrets out of it."""
    host = Host("gpu-a", ScriptedTransport({"collect": Result(137, line("vllm/log", "one"), "")}))
    collected_here = collect(host, inventory(), CollectRequest(()))
    assert collected_here.problem
    assert "packed" not in collected_here.problem.output
    (told,) = missing({"gpu-a": collected_here}, ["gpu-a"])
    assert "packed" not in told


def test_what_is_asked_for() -> None:
    transport = ScriptedTransport({"collect": line("vllm/log", "one")})
    found = collect(Host("gpu-b", transport), inventory(), CollectRequest((Files("*/log"),), seconds=2.0))
    assert found.texts == {"vllm/log": "one"}
    (command,) = transport.executed
    asked = payload(command)
    assert asked["files"][0]["pattern"] == "*/log"
    assert asked["ray_state"] is None
    assert command.timeout == 5.0


@pytest.mark.parametrize(
    "name",
    ["../gpu-a/vllm/log", "/etc/passwd", "vllm/../../log", "vllm/..", "vllm/./log", "", "a//log", "vllm/log\n",
     "\ud800/log", "vllm/sub/log", "vllm/record.json", "gpus.json", "~/log", "vllm\\log/log", "x" * 400 + "/log"],
)  # fmt: skip
def test_only_names_that_were_asked_for_come(name: str) -> None:
    output = "\n".join(
        [line(name, "forged"), line("vllm/log", "one"), json.dumps({"left_out": [name, "ray/log"]})]
    )
    host = Host("gpu-b", ScriptedTransport({"collect": output}))
    brought = collect(host, inventory(), CollectRequest((Files("*/log"), Files("ray/session_latest/logs/*.*"))))
    assert brought.texts == {"vllm/log": "one"}
    assert {*brought.left_out} == {"ray/log"}


def test_what_is_packed_is_unpacked_up_to_what_was_asked_for() -> None:
    """Each takes 60 KiB of the line, and 60 MiB unpacked."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    output = "\n".join([line(f"{name}/log", "\0" * (60 << 20)) for name in "ab"] + [line("g/log", "one")])
    brought = collected("gpu-b", output)
    assert brought.texts == {"g/log": "one"}
    assert brought.left_out == tuple(f"{name}/log" for name in "ab")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    many = "\n".join(line(f"{number}/log", "x" * (1 << 20)) for number in range(12))
    assert sum(map(len, collected("gpu-b", many).texts.values())) == 8 << 20


@pytest.mark.parametrize(
    "said",
    ['{"left_out": 5}', '{"left_out": [1, {"a": 2}]}', '{"left_out": null}', '{"name": "x", "packed": 5}',
     '{"name": null, "packed": ""}', '{"name": "x", "packed": "AAAA", "more": 1}', '{"name": 5, "packed": []}'],
)  # fmt: skip
def test_a_line_of_another_shape_is_passed_over(said: str) -> None:
    assert collected("gpu-b", f"{said}\n{line('a', 'one')}") == Collected("gpu-b", {"a": "one"})


def test_a_host_that_names_files_without_end_fills_neither_the_bundle_nor_the_screen() -> None:
    said = "\n".join(line(f"nccl.{number}.log", "") for number in range(10_000))
    brought = collected("gpu-a", said)
    assert len(brought.texts) == 4000
    told = missing({"gpu-a": brought}, ["gpu-a"])
    assert len(told) == 21
    assert told[-1] == "gpu-a: there was no time or no space for 5980 more"
