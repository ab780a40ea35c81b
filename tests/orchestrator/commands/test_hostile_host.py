"""Every command before a host that says what it likes: it costs nobody else anything."""

from __future__ import annotations

import base64
import json
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from cluster.inventory import Inventory
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from orchestrator.cli import cli
from orchestrator.local.settings import Settings
from tests.orchestrator.commands.test_bench import well
from tests.orchestrator.hostile import MODES, HostileTransport
from tests.orchestrator.simulated_cluster import SimulatedCluster, SimulatedTransport, run, written

Captured = pytest.CaptureFixture[str]

_PACKED = base64.b64encode(zlib.compress(b"one\n")).decode()
_COLLECTED = [
    {"name": "vllm/log", "packed": _PACKED},
    {"name": "processes.json", "packed": _PACKED},
    {"left_out": ["ray/log"]},
]
_HELD = {"held": {"owner": "bob", "machine": "desk", "since": "2026-11-22T09:00:00+00:00", "reason": "up demo"}}
#: What the simulated hosts do not say themselves.
_ANSWERS = {
    "collect": "\n".join(map(json.dumps, _COLLECTED)),
    "tail": '{"files": 1}\n{"source": "vllm", "text": "one"}',
    "break_lease": json.dumps(_HELD),
    "execute": "one\ntwo",
    "remove_state": "",
}

#: Exit codes that name a fault of a host, or a finding; 1 is a fault of ours.
_CODES = {0, 2, 3, 4, 5, 6, 7, 8}


@dataclass
class Hostile(SimulatedCluster):
    """Of its hosts, `liar` says what it likes."""

    liar: str = ""
    mode: str = ""
    answers: dict[str, str] = field(default_factory=lambda: dict(_ANSWERS))

    def fleet(self, inventory: Inventory, settings: Settings) -> Fleet:
        return Fleet([self._host(inventory, spec.name) for spec in inventory.hosts])

    def _host(self, inventory: Inventory, name: str) -> Host:
        transport = SimulatedTransport(self, inventory, inventory.host(name))
        return Host(name, HostileTransport(transport, self.mode, self.answers) if name == self.liar else transport)


def commands(folder: Path, path: Path) -> dict[str, list[list[str]]]:
    """By the host that lies: what a worker can spoil, and what the head can."""
    bench = ["bench", "--results", str(folder / "results"), "--workload", "8000/1000", "--num-prompts", "1"]
    looks = [["check", str(path)], ["status"], ["logs"], ["exec", "--", "ls"], ["diagnose", "--to", str(folder)]]
    return {
        "gpu-b": [*looks, ["up", str(path)], ["down"]],
        "gpu-a": [*looks, bench, ["unlock", "--reason", "x"], ["up", str(path)], ["down"]],
    }


@pytest.mark.parametrize("liar", ["gpu-a", "gpu-b"])
@pytest.mark.parametrize("mode", MODES)
def test_no_word_of_a_host_ends_a_command_in_a_fault(
    liar: str, mode: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GATE", "LOAD", "FREE", "TOKEN"):
        monkeypatch.setenv(f"ORCHESTRATOR_PATIENCE_{name}", "1")
    path = written(tmp_path)
    simulated = Hostile(bench_lines=well)
    assert run(simulated, "up", path) == 0
    capsys.readouterr()
    simulated.liar, simulated.mode = liar, mode
    for verb, *words in commands(tmp_path, path)[liar]:
        begun = time.process_time()
        with mock.patch("orchestrator.session.session.connected", simulated.fleet):
            code = cli.main([verb, *words])
        out, err = capsys.readouterr()
        assert code in _CODES, (verb, err)
        assert "Traceback" not in out + err
        assert "\x1b" not in err
        assert len(err) < 100_000
        assert time.process_time() - begun < 10
        assert verb != "status" or all(name in out for name in ("gpu-a", "gpu-b"))
