"""The probe that brings everything: its data, and what it makes of the answer."""

from __future__ import annotations

import json

import pytest

from cluster.engine.vllm_log import SIGNS
from cluster.errors import MalformedAnswer
from cluster.launch.unit import folder_name
from cluster.preflight.check import Evidence
from cluster.preflight.report import report
from cluster.probes.facts import facts, ports
from cluster.transport.host import Host
from cluster.values import Facts
from cluster.views import HostView, Observed
from tests.cluster import builders
from tests.cluster.builders import inventory
from tests.cluster.launch.test_unit import sent
from tests.cluster.recorded import recorded
from tests.doubles import ScriptedTransport


def test_what_is_asked() -> None:
    environment = (("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/hub"))
    one = inventory(each={"environment": environment}, model={"revision": "refs/pr/1"})
    assert sent(facts(one, one.head).command) == {
        "venv": "/opt/vllm",
        "state": "/var/tmp",
        "folder": folder_name("demo", "gpu-a"),
        "ports": [6380, 6381, 6379, 8000],
        "head": True,
        "cluster_address": "192.168.0.1",
        "peers": {"gpu-b": "192.168.0.2"},
        "fatal": SIGNS.fatal,
        "ready": SIGNS.ready,
        "dead": SIGNS.dead,
        "wait": SIGNS.wait,
        "reserving": SIGNS.reserving,
        "reserved": SIGNS.reserved,
        "model": {"id": one.model.id, "revision": "refs/pr/1", "hf_home": "/hf", "hf_hub_cache": "/hub"},
    }


@pytest.mark.parametrize(
    ("hosts", "index", "wanted"),
    [(2, 0, (6380, 6381, 6379, 8000)), (2, 1, (6380, 6381)), (1, 0, (8000,))],
)
def test_the_ports_that_we_listen_on(hosts: int, index: int, wanted: tuple[int, ...]) -> None:
    one = inventory(hosts)
    assert ports(one, one.hosts[index]) == wanted


def answer(output: str) -> Facts:
    one = inventory()
    probe = facts(one, one.head)
    return Host("gpu-a", ScriptedTransport({probe.command.kind: output})).ask(probe)


GOOD = builders.facts(inventory().head).model_dump(mode="json")


def test_an_answer_is_read_after_a_greeting() -> None:
    assert answer("Last login: never\n" + json.dumps(GOOD)) == builders.facts(inventory().head)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "bash: no such luck",
        "{}",
        json.dumps([GOOD]),
        json.dumps(GOOD)[:-9],
        json.dumps(GOOD | {"surprise": 1}),
        json.dumps(GOOD | {"gpus": None}),
        json.dumps({key: value for key, value in GOOD.items() if key != "boot_id"}),
    ],
)
def test_another_answer_is_unintelligible(output: str) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        answer(output)
    assert caught.value.host == "gpu-a"
    assert caught.value.output == output


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("sh: 1: exec: python3: not found", "neither"),
        ("This account is currently not available.", "nologin"),
        ("  SyntaxError: invalid syntax", "too old"),
        ("TypeError: 'type' object is not subscriptable", "too old"),
    ],
)
def test_hosts_without_a_python(output: str, cause: str) -> None:
    one = inventory()
    hint = next(hint for hint in facts(one, one.head).command.hints if hint.fits(output))
    assert cause in hint.cause


def test_the_interface_of_an_address() -> None:
    known = builders.facts(inventory().head)
    assert (known.interface("192.168.0.1"), known.interface("9.9.9.9")) == ("eth1", "")


def told_by_gpu_hosts() -> Observed:
    answers = {name: answer(recorded(f"nvidia/h100-facts-{name}.json")) for name in ("gpu-a", "gpu-b")}
    return {name: HostView(name, facts=known) for name, known in answers.items()}


def test_what_hosts_with_real_gpus_said() -> None:
    known = told_by_gpu_hosts()["gpu-b"].facts
    assert known is not None
    assert [(gpu.name, gpu.memory_mib, gpu.used_mib, gpu.processes) for gpu in known.gpus] == [
        ("NVIDIA H100 80GB HBM3", 81559, 0, ())
    ] * 2
    assert {(one.fabric_state, one.fabric_status, one.recovery) for one in known.hardware.health} == {
        ("Completed", "Success", "None")
    }
    assert (known.driver, known.versions["vllm"], known.hardware.xids) == ("580.159.04", "0.26.0", ())


def test_such_hosts_are_fit_but_for_what_is_known_of_their_versions() -> None:
    """Each with one of the two GPUs, as they were used."""
    one = inventory(gpus=1)
    hosts = tuple(spec.model_copy(update={"gpu_ids": (number,)}) for number, spec in enumerate(one.hosts))
    known = report(one.model_copy(update={"hosts": hosts}), Evidence(told_by_gpu_hosts())).findings
    assert {finding.name for finding in known} == {"versions-known-bad"}
