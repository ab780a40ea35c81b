"""One life of a cluster, played once before scripted hosts: every command, what it said, sent and kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from cluster.command import Command, Result
from orchestrator.cli import cli
from tests.cluster.diagnosis.test_collect import line
from tests.doubles import ScriptedChannel
from tests.orchestrator.commands.test_bench import well
from tests.orchestrator.scripted_stage import payload
from tests.orchestrator.simulated_cluster import INVENTORY, SimulatedCluster, SimulatedTransport

_THEIRS = {"owner": "bob", "machine": "desk", "since": "2026-11-22T09:00:00+00:00", "reason": "up demo", "pid": 7}
#: What hosts answer to programs that `Simulated` knows nothing of.
_ANSWERS = {
    "tail": '{"files": 1}\n{"source": "vllm", "text": "one"}\n',
    "unlock": json.dumps({"held": _THEIRS}),
    "collect": line("vllm/log", "said\n"),
}
_BENCH = ("--workload", "8000/1000", "--num-prompts", "1,16", "--seed", "7")


@dataclass
class Whole:
    """`folder` has the inventory, the state of this machine and the results; `documents` by command.

    `remembered` are the files below ORCHESTRATOR_STATE while the cluster is up.
    """

    folder: Path
    simulated: SimulatedCluster = field(default_factory=lambda: SimulatedCluster(bench_lines=well))
    documents: dict[str, list[Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: list[Command] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    remembered: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, *words: object) -> str:
        """What the command says on stdout; `name` is what its documents and its exit code go by."""
        out, err = StringIO(), StringIO()
        with (
            redirect_stdout(out),
            redirect_stderr(err),
            mock.patch("orchestrator.session.session.connected", self.simulated.fleet),
        ):
            self.codes[name] = cli.main([str(word) for word in words])
        self.events += [json.loads(row) for row in err.getvalue().splitlines() if row.startswith('{"event"')]
        return out.getvalue()

    def ask(self, name: str, *words: object) -> None:
        """The same for a program."""
        self.documents.setdefault(name, []).append(json.loads(self.run(name, *words, "--output", "json")))

    def payloads(self) -> dict[str, list[dict[str, Any]]]:
        """By program."""
        found: dict[str, list[dict[str, Any]]] = {}
        for command in self.sent:
            if name := program(command):
                found.setdefault(name, []).append(payload(command))
        return found


#: Programs that are called otherwise by now -> what the records call them. Of all of them the keeper alone
#: lives longer than a command, so that its name alone may not change.
RENAMED = {
    "break_lease": "unlock",
    "http_request": "ask",
    "port_listener": "listen",
    "port_probe": "connect",
    "ray_token": "token",
    "remove_state": "sweep",
    "unit_status": "watch",
    "venv_check": "venv_trial",
    "verify_gpus": "gate",
    "vllm_options": "serving",
}


def program(command: Command) -> str:
    """Returns its name in its command line on a host; empty for what is none of our programs."""
    name = command.argv[-1] if "-c" in command.argv[2:] and command.stdin else ""
    return RENAMED.get(name, name)


def play(folder: Path) -> Whole:
    whole = Whole(folder)
    inventory = folder / "demo.yaml"
    inventory.write_text(INVENTORY.format(port=1))
    # Nothing of the page with its plots is for programs, and it takes as long as all else.
    with _recorded(whole.sent), mock.patch("orchestrator.report.page.page", return_value="<html>"):
        _play(whole, inventory)
    return whole


def _play(whole: Whole, inventory: Path) -> None:
    results = whole.folder / "results"
    whole.ask("plan", "plan", inventory)
    whole.ask("plan", "plan", Path(__file__).parents[2] / "examples" / "ernie-424b-8x80g-fp8.yaml")
    whole.ask("plan", "plan", inventory, "--hosts")
    whole.ask("check", "check", inventory, "--deep", "--skip", "mtu")
    whole.run("check --fabric", "check", inventory, "--fabric")
    whole.ask("status", "status", inventory)
    whole.ask("up", "up", inventory)
    whole.remembered = texts(whole.folder / "state")
    whole.ask("status", "status")
    whole.run("logs", "logs", "--unit", "ranks", "--unit", "vllm")
    whole.documents["logs"] = [
        json.loads(row) for row in whole.run("logs", "logs", "--output", "json").splitlines()
    ]
    whole.documents["exec"] = [json.loads(whole.run("exec", "exec", "--output", "json", "--", "ls"))]
    whole.ask("diagnose", "diagnose", "--to", whole.folder)
    whole.ask("unlock", "unlock", "--reason", "bob has left")
    whole.ask("bench", "bench", "--results", results / "a", *_BENCH)
    whole.ask("bench", "bench", "--results", results / "b", *_BENCH)
    whole.ask("bench report", "bench", "report", results / "a")
    whole.ask("bench compare", "bench", "compare", results / "a", results / "b")
    whole.simulated.lost = frozenset({"gpu-b"})
    whole.ask("status", "status")
    whole.documents["exec"] += [json.loads(whole.run("exec lost", "exec", "--output", "json", "--", "ls"))]
    whole.ask("failure", "up", inventory)
    whole.ask("diagnose", "diagnose", "--to", whole.folder / "lost.tar.gz")
    whole.simulated.lost = frozenset()
    whole.simulated.broken = frozenset({"keeper ray"})
    whole.ask("failure", "up", inventory, "--recreate")
    whole.simulated.broken = frozenset()
    whole.ask("down", "down", inventory)
    layouts = ("--layouts", "2x1", "--results", results / "layouts")
    whole.ask("bench layouts", "bench", "layouts", inventory, *layouts, *_BENCH)


@contextmanager
def _recorded(sent: list[Command]) -> Iterator[None]:
    """Everything that is sent to a host, and an answer to what those hosts know nothing of."""
    execute, opened = SimulatedTransport.execute, SimulatedTransport.open

    def answered(one: SimulatedTransport, command: Command, said: Callable[[str], None] | None = None) -> Result:
        sent.append(command)
        result = execute(one, command, said)
        result = Result(0, result.stdout or _ANSWERS.get(program(command), ""), "")
        if said:
            said(result.stdout)
        return result

    def channel(one: SimulatedTransport, command: Command) -> ScriptedChannel:
        sent.append(command)
        try:
            return opened(one, command)
        except KeyError:
            return ScriptedChannel(["{}"])

    with (
        mock.patch.object(SimulatedTransport, "execute", answered),
        mock.patch.object(SimulatedTransport, "open", channel),
    ):
        yield


def texts(folder: Path) -> dict[str, str]:
    """Every file below it that is text; a moment is written alike whenever it is."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gz")
    return {timeless(str(path.relative_to(folder))): path.read_text() for path in paths}


def timeless(name: str) -> str:
    return re.sub(r"\d{8}T\d{6}", "TIME", name)
