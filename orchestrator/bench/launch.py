"""Where the benchmark client runs, and with what."""

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
from orchestrator.bench.settings import BenchSettings
from orchestrator.run.phase import Stage


@dataclass(frozen=True)
class Launch:
    """`argv` is the client's, `command` what runs it on `host`."""

    host: Host
    argv: tuple[str, ...]
    command: Command


def launch(stage: Stage, cell: Cell, how: BenchSettings, seed: int, scratch: Path) -> Launch:
    """`scratch` is a private folder of this machine. Raises UsageError where no vLLM is here to measure with."""
    return _here(stage, cell, how, seed, scratch) if how.origin == "here" else _head(stage, cell, how, seed)


def _head(stage: Stage, cell: Cell, how: BenchSettings, seed: int) -> Launch:
    inventory, facts = stage.inventory, stage.facts(stage.head.name)
    words = command.argv(
        inventory,
        cell,
        vllm=f"{stage.venv}/bin/vllm",
        url=local_url(inventory, ""),
        tokenizer=facts.model.path or inventory.model.id,
        rate=how.rate,
        seed=seed,
        salt=_salt(how),
    )
    env = environment(inventory, inventory.head, facts) | _key(stage)
    metrics = local_url(inventory, "/metrics")
    return Launch(
        stage.head, words, client.command(words, env, state=facts.state, metrics=metrics, venv=stage.venv)
    )


def _here(stage: Stage, cell: Cell, how: BenchSettings, seed: int, scratch: Path) -> Launch:
    """With the environment of whoever started us, and the model's tokenizer as it is found here."""
    inventory, where = stage.inventory, stage.endpoint()
    words = command.argv(
        inventory,
        cell,
        vllm=_vllm_here(),
        url=where.url,
        tokenizer=inventory.model.id,
        rate=how.rate,
        seed=seed,
        salt=_salt(how),
    )
    sent = client.command(words, _key(stage), state=str(scratch), metrics=f"{where.url}/metrics", venv=sys.prefix)
    return Launch(Host("this machine", LocalTransport()), words, sent)


def _vllm_here() -> str:
    """Beside this program, or on the PATH."""
    beside = Path(sys.prefix) / "bin/vllm"
    found = str(beside) if beside.exists() else shutil.which("vllm")
    if not found:
        cure = (
            "install it into the environment of this program, or measure from the head (leave out `--from here`)"
        )
        raise UsageError("this machine has no vllm to measure with", cure=cure)
    return found


def _salt(how: BenchSettings) -> str:
    """Never the same again: a seed may be."""
    return f"bench-{secrets.token_hex(8)}" if how.cold == "salt" else ""


def _key(stage: Stage) -> dict[str, str]:
    """Into the client's environment: an argument list is for all to read."""
    key = stage.inventory.serve.api_key
    return {"OPENAI_API_KEY": key.get_secret_value()} if key else {}
