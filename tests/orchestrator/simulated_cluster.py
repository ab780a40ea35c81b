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
from tests.orchestrator.fake_vllm import TOKEN, closed_port
from tests.orchestrator.scripted_stage import TRIALS, connected, left, look, payload, told

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


HEALTHY = look("Model loading took 3 GiB\nKV cache size: 640 tokens\n", health=200)


@dataclass
class World:
    """What runs on the hosts. `engine` is what a look at vLLM shows; kinds in `hang` never end, those in `broken`
    fail; hosts that are `lost` do not answer; `ran` notes all that changed something, `launched` argument lists;
    `benched` is what a benchmark client says."""

    engine: str = HEALTHY
    hang: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    units: dict[tuple[str, str], UnitState] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    launched: list[list[str]] = field(default_factory=list)
    reached: Callable[[str], object] = lambda kind: None
    benched: Callable[[Command], list[str | None]] = lambda command: []

    def fleet(self, inventory: Inventory, settings: Settings) -> Fleet:
        """Stands in for connections."""
        return Fleet([Host(spec.name, Simulated(self, inventory, spec)) for spec in inventory.hosts])


_ANSWERS = {
    "/v1/models": json.dumps({"data": [{"id": "ernie", "max_model_len": 16384}]}),
    "/metrics": "vllm:num_requests_running 0\nvllm:generation_tokens_total 9\n",
}
_CARDS = [{"uuid": uuid, "memory_mib": 81559, "cuda": "ok"} for uuid in ("a", "b")]
_CHANNELS = {
    "lease": json.dumps({"taken": None}),
    "verify_gpus": json.dumps({"proved": _CARDS}),
    **TRIALS,
}


@dataclass
class Simulated:
    """The transport to one of them."""

    world: World
    inventory: Inventory
    spec: HostSpec

    def execute(self, command: Command, on_line: Callable[[str], None] | None = None) -> Result:
        kind = command.kind
        self.world.reached(kind)
        if kind in self.world.hang:
            threading.Event().wait()
        if kind in self.world.broken or self.spec.name in self.world.lost:
            raise Unreachable(self.spec.name, command.title, cause="no route", cure="see its cable")
        return Result(0, self._answer(command), "")

    def open(self, command: Command) -> ScriptedChannel:
        if command.kind == "bench":
            return ScriptedChannel(self.world.benched(command))
        return ScriptedChannel([_CHANNELS[command.kind]])

    def close(self) -> None:
        pass

    def _answer(self, command: Command) -> str:
        match command.kind.split():
            case ["facts"]:
                return told(builders.facts(self.spec, ray=self._unit("ray"), vllm=self._unit("vllm")))
            case ["keeper", name]:
                return self._launch(name, command)
            case ["stop", name]:
                self._note(command)
                self.world.units.pop((self.spec.name, name), None)
                return left()
            case ["unit_status", "vllm"]:
                return self.world.engine
            case ["port_probe"]:
                return connected(command).stdout
            case ["http_request"]:
                path = "/" + payload(command)["url"].split("/", 3)[3]
                return json.dumps({"status": 200, "text": _ANSWERS.get(path, TOKEN)})
        return {
            "ray_token": '{"token": "t0ken"}',
            "unit_status ray": look(),
            "nccl": '{"lines": []}',
            "clocks": '{"clocks": {}}',
        }.get(command.kind, "")

    def _launch(self, name: str, command: Command) -> str:
        self._note(command)
        record = payload(command)["record"]
        self.world.launched.append(record["argv"])
        self.world.units[self.spec.name, name] = UnitState(
            presence=Presence.ALIVE, argv=record["argv"], fingerprint=record["fingerprint"], pids=(7,), age=60.0
        )
        return ""

    def _unit(self, name: str) -> UnitState:
        return self.world.units.get((self.spec.name, name), builders.ABSENT)

    def _note(self, command: Command) -> None:
        self.world.ran.append(f"{self.spec.name}: {command.kind}")


def run(world: World, *words: object) -> int:
    """The program before these hosts; returns its exit code."""
    with mock.patch("orchestrator.session.session.connected", world.fleet):
        return cli.main([str(word) for word in words])


def main() -> int:
    """HANG and BROKEN are kinds, separated by commas; what is reached of HANG is said on stdout.

    No second signal is taken for the echo of the first, so that nobody has to wait for it.
    """
    hang, broken = (frozenset(filter(None, os.environ.get(name, "").split(","))) for name in ("HANG", "BROKEN"))
    world = World(hang=hang, broken=broken)
    if "unit_status vllm" in hang:
        world.engine = look("Starting to load model\n")

    def reached(kind: str) -> None:
        if kind in hang:
            os.write(1, f"{kind}\n".encode())

    world.reached = reached
    with mock.patch("orchestrator.run.interrupts._ECHO", 0.0):
        code = run(world, *sys.argv[1:])
    os.write(1, ("".join(f"{line}\n" for line in world.ran) + "the end\n").encode())
    return code


if __name__ == "__main__":
    sys.exit(main())
