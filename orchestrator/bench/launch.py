"""The launch of the benchmark client: where it runs, and with what."""

from __future__ import annotations

import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster.bench import client, command
from cluster.bench.workload import Cell
from cluster.command import Command
from cluster.engine.endpoint import local_url
from cluster.errors import UsageError
from cluster.launch.environment import environment
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from orchestrator.bench.results import BenchSettings
from orchestrator.run.phase import Stage


@dataclass(frozen=True)
class Launch:
    """`argv` is the client's, `command` what runs it on `host`."""

    host: Host
    argv: tuple[str, ...]
    command: Command


def launch(stage: Stage, cell: Cell, settings: BenchSettings, seed: int, scratch: Path) -> Launch:
    """`scratch` is a private folder of this machine. Raises UsageError where no vLLM is here to measure with."""
    if settings.origin == "here":
        return _here(stage, cell, settings, seed, scratch)
    return _head(stage, cell, settings, seed)


def _head(stage: Stage, cell: Cell, settings: BenchSettings, seed: int) -> Launch:
    inventory, facts = stage.inventory, stage.facts(stage.head.name)
    words = command.argv(
        inventory,
        cell,
        vllm=f"{stage.venv}/bin/vllm",
        url=local_url(inventory, ""),
        tokenizer=facts.model.path or inventory.model.id,
        rate=settings.rate,
        seed=seed,
        salt=_salt(settings),
    )
    env = environment(inventory, inventory.head, facts) | _key(stage)
    metrics = local_url(inventory, "/metrics")
    return Launch(
        stage.head, words, client.command(words, env, state=facts.state, metrics=metrics, venv=stage.venv)
    )


def _here(stage: Stage, cell: Cell, settings: BenchSettings, seed: int, scratch: Path) -> Launch:
    """Has the environment of whoever started us, and the model's tokenizer as it is found here."""
    inventory, where = stage.inventory, stage.endpoint()
    words = command.argv(
        inventory,
        cell,
        vllm=_vllm_here(),
        url=where.url,
        tokenizer=inventory.model.id,
        rate=settings.rate,
        seed=seed,
        salt=_salt(settings),
    )
    here, metrics = Host("this machine", LocalTransport()), f"{where.url}/metrics"
    return Launch(
        here, words, client.command(words, _key(stage), state=str(scratch), metrics=metrics, venv=sys.prefix)
    )


def _vllm_here() -> str:
    """Returns the vllm beside this program, or the one on the PATH."""
    beside = Path(sys.prefix) / "bin/vllm"
    path = str(beside) if beside.exists() else shutil.which("vllm")
    if not path:
        cure = (
            "install vllm into the environment of this program, or measure from the head (leave out `--from here`)"
        )
        raise UsageError("vllm is not installed on this machine", cure=cure)
    return path


def _salt(settings: BenchSettings) -> str:
    """Returns one that never comes again: a seed may."""
    return f"bench-{secrets.token_hex(8)}" if settings.cold == "salt" else ""


def _key(stage: Stage) -> dict[str, str]:
    """The key goes into the client's environment: an argument list is for all to read."""
    key = stage.inventory.serve.api_key
    return {"OPENAI_API_KEY": key.get_secret_value()} if key else {}
