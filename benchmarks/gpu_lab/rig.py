"""Sandbox hosts with the machine's GPUs, and the orchestrator as an operator calls it on them."""

import json
import os
import random
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from . import questions, requests, workload
from .record import Done, Record
from .variants import Trial, inventory
from .workload import Workload

#: Seconds that are kept for taking everything down.
KEPT = 60.0
_PORT = 8000
_LETTERS = "abcdefghijklmnopqrstuvwxyz "
#: Lines of vLLM's log that figures are compared with.
_TOLD = re.compile(
    r"Model loading took .*|Available KV cache memory: .*|GPU KV cache size: .*|Graph capturing finished .*|"
    r"Using (?:configuration from|default MoE config).*|Using .* attention backend.*|init engine .* took .*"
)


@dataclass(frozen=True)
class Rig:
    """`place` is what `prepare` made; `gpus` those of each host, from `first_gpu` of the machine on; `stand_in`:
    simulated ones and the scripted engine instead."""

    record: Record
    name: str
    place: Path
    hosts: tuple[str, ...]
    gpus: int
    first_gpu: int
    stand_in: bool
    variants: Sequence[str] = ()
    """Names of those that `tune` tries."""
    passed_over: dict[str, list[str]] = field(default_factory=dict)
    """By inventory: checks that block a start."""

    @contextmanager
    def up(self) -> Generator[bool]:
        """Yields whether the hosts are up, and removes them afterwards."""
        real = ["--real-gpus", "--model", self.model("vl28b"), "--first-gpu", str(self.first_gpu)]
        kind = ["--engine", "scripted"] if self.stand_in else real
        shape = ["--hosts", str(len(self.hosts)), "--gpus", str(self.gpus), *kind, "--owner", str(os.getpid())]
        try:
            words = self._python(
                "sandbox", "up", "--name", self.name, *shape, "--inventory", str(self._path("base"))
            )
            yield self.record.step("sandbox up", words, 60, KEPT).well
        finally:
            self.record.step("sandbox down", self._python("sandbox", "down", "--name", self.name), 30, least=15)

    def model(self, name: str) -> str:
        return "" if self.stand_in else str(self.place / "models" / name)

    @property
    def work(self) -> Workload:
        return workload.TINY if self.stand_in else workload.GUIDE

    def write(self, trial: Trial) -> str:
        """The path of its inventory."""
        made = inventory(self._base(), trial, str(self.place))
        if self.stand_in:
            made["serve"]["prove_image"] = False
        path = self._path(trial.cluster)
        path.write_text(json.dumps(made, indent=1))
        self.record.keep(
            f"inventory-{trial.cluster}-pp{trial.pipeline}-{trial.variant.name}.json", path.read_text()
        )
        return str(path)

    def _base(self) -> dict[str, Any]:
        base: dict[str, Any] = yaml.safe_load(self._path("base").read_text())
        return base

    def _path(self, name: str) -> Path:
        return Path(f"/tmp/{self.name}-{name}.yaml")

    def _python(self, module: str, *words: str) -> list[str]:
        return [sys.executable, "-m", module, *words]

    @property
    def _environ(self) -> dict[str, str]:
        return {"ORCHESTRATOR_STATE": f"/tmp/{self.name}-state"}

    def do(self, name: str, limit: float, *words: str, may_fail: bool = False) -> Done:
        """`python -m orchestrator …`."""
        argv = self._python("orchestrator", *words)
        return self.record.step(name, argv, limit, KEPT, environ=self._environ, may_fail=may_fail)

    def bring_up(self, name: str, path: str, limit: float = 330.0) -> bool:
        """Reports and skips blocking findings: the GPUs are available for some minutes only."""
        if path not in self.passed_over:
            self.plan(name, path)
            check = self.do(f"{name}: check", 60, "check", path, "--output", "json")
            self.passed_over[path] = blocking(check.out)
        for one in self.passed_over[path]:
            self.record.note(f"{name}: passed over {one}", "see its check", None)
        words = [word for one in self.passed_over[path] for word in ("--skip", one)]
        return self.do(f"{name}: up", limit, "up", path, "--output", "plain", *words).well

    def plan(self, name: str, path: str, *more: str) -> None:
        """What it says of a model that does not fit is an answer as well."""
        self.do(f"{name}: plan", 60, "plan", path, *more, "--output", "json", may_fail=True)

    def take_down(self, name: str, *paths: str) -> None:
        """Also when there is hardly time."""
        for path in paths:
            words = self._python("orchestrator", "down", path, "--output", "plain")
            self.record.step(f"{name}: down", words, 150, 10, least=20, environ=self._environ)

    def prove_free(self, name: str) -> None:
        dealt = len(self.hosts) * self.gpus
        gpus = list(range(self.gpus)) if self.stand_in else [self.first_gpu + i for i in range(dealt)]
        said = [self.on_machine(f"{name}: {what}", argv).out for what, argv in questions.in_use(gpus).items()]
        problem = questions.free(*said)
        self.record.note(f"{name}: GPUs free", problem or "all of them", 1 if problem else 0)

    def on_machine(self, name: str, argv: list[str], limit: float = 60.0) -> Done:
        """On this machine itself; a stand-in has its GPUs on its first host."""
        inside = self._python("sandbox", "exec", "--name", self.name, self.hosts[0], "--")
        return self.record.step(name, [*inside, *argv] if self.stand_in else argv, limit, 5, may_fail=True)

    def memory(self) -> float:
        """Returns the GiB of the smallest GPU. Raises ValueError if nvidia-smi prints nothing."""
        said = self.on_machine("memory of the GPUs", questions.TOTAL_MEMORY).out.split()
        return min(map(int, said)) / 1024

    def on_host(self, host: str, name: str, *argv: str) -> Done:
        return self.record.step(
            name, self._python("sandbox", "exec", "--name", self.name, host, "--", *argv), 60, 5
        )

    def url(self, host: str) -> str:
        address = next(one["address"] for one in self._base()["hosts"] if one["name"] == host)
        return f"http://{address}:{_PORT}"

    def complete(self, name: str, host: str, words: str = "sixteen cards hum") -> None:
        self.record.step(
            f"{name}: a completion", [sys.executable, "scripts/ask", self.url(host), words], 120, KEPT
        )

    def measure(self, name: str, path: str, trial: Trial, seed: int) -> dict[str, Any]:
        """vLLM's own client on the head; what it measured, and how much of the prompts was cached."""
        head, served = trial.hosts[0], json.loads(Path(path).read_text())["model"]
        before = self._cached(head)
        words = workload.client(self.work, self.url(head), served["id"], served["served_name"], seed, name)
        self.do(f"{name}: bench", 240, "exec", path, head, "--", *words)
        result = self.do(f"{name}: result", 30, "exec", path, head, "--", "cat", workload.result_file(name))
        found = workload.figures(result.out)
        after = self._cached(head)
        figures = {**found, **{key: value - before.get(key, 0) for key, value in after.items()}}
        self.record.figure(name, figures)
        return found

    def _cached(self, host: str) -> dict[str, float]:
        try:
            return workload.sums(requests.get(f"{self.url(host)}/metrics"))
        except (OSError, ValueError):
            return {}

    def warm(self, name: str, path: str, host: str) -> None:
        """Sends as many other prompts at once as will be measured, so that everything is compiled."""
        served = json.loads(Path(path).read_text())["model"]["served_name"]
        work = self.work
        source = random.Random(name)
        prompts = ["".join(source.choices(_LETTERS, k=work.input_tokens)) for _ in range(work.prompts)]
        problems: list[str] = []
        requests.together(partial(requests.complete, self.url(host), served, problems), prompts)
        self.record.note(f"{name}: warmed up", problems[0] if problems else "", 1 if problems else 0)

    def logs(self, name: str, path: str) -> None:
        """All of them, and the lines that figures are compared with."""
        said = self.do(f"{name}: logs", 60, "logs", path, "--lines", "20000").out
        self.record.figure(f"{name}: log", list(dict.fromkeys(_TOLD.findall(said)))[:40])


def blocking(said: str) -> list[str]:
    """Returns the names of blocking checks in a report of `check --output json`."""
    try:
        found = json.loads(said)["findings"]
    except (ValueError, KeyError, TypeError):
        return []
    return list(dict.fromkeys(one["name"] for one in found if one["severity"] == "blocking"))
