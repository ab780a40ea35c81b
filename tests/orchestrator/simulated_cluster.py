"""Two hosts of which a run remembers what it did: whole runs of the program, without a network.

Run as a program, it is the orchestrator with these hosts behind it:
`python -m tests.orchestrator.simulated_cluster`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from cluster.command import Command, Result
from cluster.errors import Unreachable
from cluster.inventory import HostSpec, Inventory
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import Presence, UnitState
from orchestrator.cli import cli
from orchestrator.local.settings import Settings
from tests.cluster import builders
from tests.doubles import ScriptedChannel
from tests.orchestrator.fake_vllm import STARTED, TOKEN, closed_port
from tests.orchestrator.scripted_stage import (
    TRIAL_ANSWERS,
    facts_answer,
    payload,
    reach_answer,
    status_answer,
    stop_answer,
)

INVENTORY = """\
cluster: demo
defaults: {{gpus: 1}}
hosts:
  - {{name: gpu-a, address: 10.0.0.1, cluster_address: 192.168.0.1, role: head}}
  - {{name: gpu-b, address: 10.0.0.2, cluster_address: 192.168.0.2, role: worker}}
model: {{id: /models/ernie, served_name: ernie}}
serve: {{tensor_parallel_size: 2, host: 127.0.0.1, port: {port}}}
runtime: {{venv: /opt/vllm}}
"""


def written(folder: Path, cluster: str = "demo") -> Path:
    """An inventory of these hosts, whose endpoint can be asked from the head alone."""
    path = folder / f"{cluster}.yaml"
    path.write_text(INVENTORY.format(port=closed_port()).replace("cluster: demo", f"cluster: {cluster}", 1))
    return path


HEALTHY = status_answer("Model loading took 3 GiB\nKV cache size: 640 tokens\n", health=200)


@dataclass
class SimulatedCluster:
    """What runs on the hosts. `engine` is the status of vLLM; kinds in `hang` never end, those in `broken` fail;
    hosts that are `lost` do not answer; `ran` records all that changed something, `launched` argument lists;
    `bench_lines` is the output of a benchmark client."""

    engine: str = HEALTHY
    hang: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    units: dict[tuple[str, str], UnitState] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    launched: list[list[str]] = field(default_factory=list)
    on_command: Callable[[str], object] = lambda kind: None
    bench_lines: Callable[[Command], list[str | None]] = lambda command: []

    def fleet(self, inventory: Inventory, settings: Settings) -> Fleet:
        """Replaces `connected`."""
        return Fleet([Host(spec.name, SimulatedTransport(self, inventory, spec)) for spec in inventory.hosts])


_ANSWERS = {
    "/v1/models": json.dumps({"data": [{"id": "ernie", "max_model_len": 16384}]}),
    "/metrics": STARTED + "vllm:num_requests_running 0\nvllm:generation_tokens_total 9\n",
}
_CARDS = [{"uuid": uuid, "memory_mib": 81559, "cuda": "ok"} for uuid in ("a", "b")]
_CHANNELS = {
    "lease": json.dumps({"taken": None}),
    "open_ports": json.dumps({"port": 9, "listening": []}),
    "verify_gpus": json.dumps({"proved": _CARDS}),
    **TRIAL_ANSWERS,
}


@dataclass
class SimulatedTransport:
    """The transport to one of them."""

    simulated: SimulatedCluster
    inventory: Inventory
    spec: HostSpec

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        kind = command.kind
        self.simulated.on_command(kind)
        if kind in self.simulated.hang:
            threading.Event().wait()
        if kind in self.simulated.broken or self.spec.name in self.simulated.lost:
            raise Unreachable(self.spec.name, command.title, cause="no route", cure="see its cable")
        return Result(0, self._answer(command), "")

    def open(self, command: Command) -> ScriptedChannel:
        if command.kind == "bench":
            return ScriptedChannel(self.simulated.bench_lines(command))
        return ScriptedChannel([_CHANNELS[command.kind]])

    def close(self) -> None:
        pass

    def _answer(self, command: Command) -> str:
        match command.kind.split():
            case ["facts"]:
                return facts_answer(builders.facts(self.spec, ray=self._unit("ray"), vllm=self._unit("vllm")))
            case ["keeper", name]:
                return self._launch(name, command)
            case ["stop", name]:
                self._record(command)
                self.simulated.units.pop((self.spec.name, name), None)
                return stop_answer()
            case ["unit_status", "vllm"]:
                return self.simulated.engine
            case ["port_probe"]:
                return reach_answer(command).stdout
            case ["http_request"]:
                path = "/" + payload(command)["url"].split("/", 3)[3]
                return json.dumps({"status": 200, "text": _ANSWERS.get(path, TOKEN)})
        return {
            "ray_token": '{"token": "t0ken"}',
            "unit_status ray": status_answer(),
            "nccl": '{"lines": []}',
            "clocks": '{"clocks": {}}',
        }.get(command.kind, "")

    def _launch(self, name: str, command: Command) -> str:
        self._record(command)
        record = payload(command)["record"]
        self.simulated.launched.append(record["argv"])
        self.simulated.units[self.spec.name, name] = UnitState(
            presence=Presence.ALIVE,
            argv=record["argv"],
            fingerprint=record["fingerprint"],
            pids=(7,),
            age=60.0,
            launched_by=record["launched_by"],
        )
        return ""

    def _unit(self, name: str) -> UnitState:
        return self.simulated.units.get((self.spec.name, name), builders.ABSENT)

    def _record(self, command: Command) -> None:
        self.simulated.ran.append(f"{self.spec.name}: {command.kind}")


def run(simulated: SimulatedCluster, *words: object) -> int:
    """Runs the program before these hosts and returns its exit code."""
    with mock.patch("orchestrator.session.session.connected", simulated.fleet):
        return cli.main([str(word) for word in words])


def main() -> int:
    """HANG and BROKEN are kinds, separated by commas; a command of HANG is named on stdout.

    No second signal is taken for the echo of the first, so that nobody has to wait for it.
    """
    hang, broken = (frozenset(filter(None, os.environ.get(name, "").split(","))) for name in ("HANG", "BROKEN"))
    simulated = SimulatedCluster(hang=hang, broken=broken)
    if "unit_status vllm" in hang:
        simulated.engine = status_answer("Starting to load model\n")

    def on_command(kind: str) -> None:
        if kind in hang:
            os.write(1, f"{kind}\n".encode())

    simulated.on_command = on_command
    with mock.patch("orchestrator.run.interrupts._ECHO", 0.0):
        code = run(simulated, *sys.argv[1:])
    os.write(1, ("".join(f"{line}\n" for line in simulated.ran) + "the end\n").encode())
    return code


if __name__ == "__main__":
    sys.exit(main())
