"""What is made of what hosts say, however it ended."""

from __future__ import annotations

import base64
import json
import zlib

from cluster.command import Result
from cluster.diagnosis.bundle import missing
from cluster.diagnosis.collect import Collected, CollectRequest, Files, collect, collected
from cluster.errors import Unreachable
from cluster.transport.host import Host
from tests.cluster.builders import inventory
from tests.doubles import ScriptedTransport
from tests.orchestrator.scripted_stage import payload

BROKEN = Unreachable("gpu-a", "collect what it says", cause="the connection broke while the command ran")


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
    transport = ScriptedTransport({"collect": line("a", "one")})
    found = collect(Host("gpu-b", transport), inventory(), CollectRequest((Files("*/log"),), seconds=2.0))
    assert found.texts == {"a": "one"}
    (command,) = transport.executed
    asked = payload(command)
    assert asked["files"][0]["pattern"] == "*/log"
    assert asked["ray_state"] is None
    assert command.timeout == 5.0
