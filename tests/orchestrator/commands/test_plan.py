"""`plan`: touches no host unless it is told to, and says what `up` would run there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cluster.errors import Unreachable
from cluster.inventory import load, single_host
from orchestrator.cli import cli
from orchestrator.local import used_hosts
from orchestrator.local.settings import Patience, Settings
from orchestrator.plans import UpOptions, up
from tests.cluster import builders
from tests.cluster.builders import inventory
from tests.cluster.inventories import REFERENCE
from tests.cluster.model.configs import CONFIGS
from tests.doubles import ScriptedChannel, ScriptedTransport
from tests.orchestrator.commands.program import run
from tests.orchestrator.scripted_stage import facts_answer

Captured = pytest.CaptureFixture[str]
SAID: dict[str, Any] = {
    "config": CONFIGS["424b-8L"], "problem": "", "options": ["--trust-remote-code"], "options_problem": "",
}  # fmt: skip


@pytest.fixture
def no_host() -> Any:
    """Any connection, even one that is never used, is a failure."""
    with mock.patch(
        "orchestrator.session.session.connected", side_effect=AssertionError("a host was touched")
    ) as never:
        yield never
    never.assert_not_called()


def hosts(spec: Any = None) -> dict[str, ScriptedTransport]:
    one = inventory(gpus=1)
    return {
        host.name: ScriptedTransport(
            {"facts": facts_answer(builders.facts(host, **(spec or {})))},
            {"vllm_options": ScriptedChannel([json.dumps(SAID)])} if host.role == "head" else {},
        )
        for host in one.hosts
    }


def test_no_host_is_touched(no_host: Any, capsys: Captured) -> None:
    assert cli.main(["plan", str(REFERENCE)]) == 0
    shown = capsys.readouterr()
    assert "it fits" in shown.out
    assert "no host was asked" in shown.out
    assert shown.err == ""


def test_not_for_a_document_either(no_host: Any, capsys: Captured) -> None:
    assert cli.main(["plan", str(REFERENCE), "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["kv_cache_tokens"] == 393_008
    assert [phase["title"] for phase in document["phases"]] == [phase.title for phase in up(UpOptions())]


def test_what_does_not_fit_is_a_failed_preflight(no_host: Any, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(REFERENCE.read_text().replace("min_gpu_memory_mib: 81000", "min_gpu_memory_mib: 48000"))
    assert cli.main(["plan", str(path)]) == 3
    assert "it does not fit" in capsys.readouterr().out


def test_an_inventory_that_cannot_be_used(no_host: Any, tmp_path: Path) -> None:
    assert cli.main(["plan", str(tmp_path / "none.yaml")]) == 2


def test_hosts_are_asked_when_that_is_wanted(tmp_path: Path, capsys: Captured) -> None:
    transports = hosts()
    assert run(transports, tmp_path, "plan", "--hosts", "--output", "json") == 3
    document = json.loads(capsys.readouterr().out)
    assert document["plan"]["asked"] is True
    assert document["plan"]["model"]["source"] == "config.json on gpu-a"
    assert document["plan"]["fit"]["memory"] == 81_559 << 20
    # Without the argument the model's own code may not run; everything else is well.
    assert [finding["name"] for finding in document["plan"]["findings"]] == ["remote-code"]
    environment = dict(map(tuple, document["plan"]["hosts"][0]["units"][0]["environment"]))
    assert environment["GLOO_SOCKET_IFNAME"] == "eth1"
    assert sorted(transports["gpu-a"].kinds) == ["facts", "vllm_options"]
    assert transports["gpu-b"].kinds == ["facts"]


def test_a_host_that_cannot_be_reached_is_no_end(tmp_path: Path, capsys: Captured) -> None:
    transports = hosts()
    transports["gpu-b"] = ScriptedTransport({"facts": Unreachable("gpu-b", "connect", cause="no route")})
    assert run(transports, tmp_path, "plan", "--hosts") == 3
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["plan demo: as gpu-a alone reports", "  ✗ gpu-b: it could not be asked: no route"]


def test_no_host_can_be_reached(tmp_path: Path, capsys: Captured) -> None:
    def lost(name: str) -> ScriptedTransport:
        gone = Unreachable(name, "connect", cause="no route", cure=f"see whether {name} is up")
        return ScriptedTransport({"facts": gone}, {"vllm_options": ScriptedChannel(broken_after=0, error=gone)})

    assert run({name: lost(name) for name in hosts()}, tmp_path, "plan", "--hosts") == 4
    out = capsys.readouterr().out
    assert out.splitlines()[:5] == [
        "plan demo: no host could be asked",
        "  ✗ gpu-a: it could not be asked: no route",
        "    next   see whether gpu-a is up",
        "  ✗ gpu-b: it could not be asked: no route",
        "    next   see whether gpu-b is up",
    ]
    assert "--hosts" not in out
    assert "  only the hosts know UID and INTERFACE\n" in out
    assert "only where a unit is outdated" in out


def test_phases_that_would_have_nothing_to_do(no_host: Any, tmp_path: Path, capsys: Captured) -> None:
    """By their own reason, on hosts on which nothing runs; one host needs no Ray."""
    small = tmp_path / "alone.yaml"
    text = REFERENCE.read_text().replace("tensor_parallel_size: 16", "tensor_parallel_size: 8")
    small.write_text(text[: text.index("  - name: gpu-b")] + text[text.index("model:\n") :])
    assert phases(REFERENCE, capsys, "skipped") == {}
    assert phases(REFERENCE, capsys, "only") == {
        "Clean removed hosts": "a host was removed from the inventory",
        "Stop what is outdated": "a unit is outdated",
    }
    skipped = phases(small, capsys, "skipped")
    assert skipped["Start Ray on the head"] == "one host needs no Ray"
    assert skipped["Learn the transport"] == "one host needs no transport between hosts"


def test_a_host_that_has_left_the_inventory_is_cleaned(no_host: Any, tmp_path: Path, capsys: Captured) -> None:
    """Known from what this machine remembers, as `up` knows it."""
    former = inventory(hosts=1, cluster="ernie-424b", each={"name": "gpu-z", "address": "10.0.0.99"})
    stays = single_host(load(REFERENCE, {}), "gpu-a")
    used_hosts.keep(Settings().state, "ernie-424b", [stays, former])
    for word in ("skipped", "only"):
        assert "Clean removed hosts" not in phases(REFERENCE, capsys, word)


def test_hosts_that_were_looked_at_say_what_is_left_out(tmp_path: Path, capsys: Captured) -> None:
    run(hosts(), tmp_path, "plan", "--hosts", "--output", "json")
    document = json.loads(capsys.readouterr().out)["phases"]
    assert {phase["skipped"] for phase in document} > {
        "no host was removed from the inventory",
        "no unit is outdated",
    }
    assert not any(phase["only"] for phase in document)


def phases(path: Path, capsys: Captured, word: str) -> dict[str, str]:
    cli.main(["plan", str(path), "--output", "json"])
    document = json.loads(capsys.readouterr().out)["phases"]
    return {phase["title"]: phase[word] for phase in document if phase[word]}


@pytest.mark.parametrize("phase", up(UpOptions()), ids=lambda phase: str(phase.title))
def test_every_phase_says_what_it_waits_for(phase: Any) -> None:
    """Its limit is one of the settings, and its text the run's own."""
    if phase.waits is not None:
        assert phase.waits.what
        assert phase.waits.patience(Patience()) in vars(Patience()).values()


def test_phases_that_wait_are_these() -> None:
    assert [phase.title for phase in up(UpOptions()) if phase.waits] == [
        "Take the lease",
        "Prove the GPUs through Ray",
        "Learn the transport",
        "Wait until the engine is ready",
        "Prove it with a token",
    ]
