"""What a command line stands for: the work that it starts, and the values that the work gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from orchestrator.bench.arguments import BenchArguments
from orchestrator.cli import cli
from orchestrator.session.invocation import Invocation

#: Command -> the module of its work, and what the work calls its positional arguments.
WORKS = {
    **{name: (name, ()) for name in ("check", "plan", "status", "logs", "up", "down", "diagnose", "unlock")},
    "exec": ("execute", ()),
    "bench": ("bench", ()),
    "bench layouts": ("bench_layouts", ("layouts",)),
    "bench report": ("bench_report", ("folders",)),
    "bench compare": ("bench_compare", ("folders",)),
}
#: What options are called in the program, where that is not what they are called on the command line.
WITHIN = {
    "path": "inventory", "ask_hosts": "ask-hosts", "units": "unit", "folders": "results",
    "form": "output", "workloads": "workload", "num_prompts": "num-prompts", "origin": "from",
}  # fmt: skip
RENEW = {"vllm": {"restart": True}, "all": {"recreate": True}}


def command_of(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The command that these words start, and its values as the program names them. It is not carried out.

    Raises SystemExit for words that mean nothing. The one place that knows the program within.
    """
    started: list[tuple[str, dict[str, Any]]] = []
    with ExitStack() as patches:
        for name, (module, names) in WORKS.items():
            work = import_module(f"orchestrator.commands.{module}")
            patches.enter_context(mock.patch.object(work, "run", _recording(name, names, started)))
        assert cli.main(list(words)) == 0
    return started[0]


def _recording(
    name: str, names: tuple[str, ...], started: list[tuple[str, dict[str, Any]]]
) -> Callable[..., None]:
    def run(*given: object, **named: Any) -> None:
        values: dict[str, Any] = {}
        for one in given:
            if isinstance(one, Invocation):
                assert one.command == name
                values |= {"path": one.path, "cluster": one.cluster, "output": one.output}
            elif isinstance(one, BenchArguments):
                values |= {each.name: getattr(one, each.name) for each in fields(one)}
            else:
                values[names[0]] = one
        started.append((name, values | RENEW.get(named.pop("renew", None), {}) | named))

    return run


def asked(words: Sequence[str]) -> dict[str, Any]:
    """The values by the words of the command line, without those that are nothing."""
    name, values = command_of(words)
    given = {WITHIN.get(each, each): plain(value) for each, value in values.items() if value or each == "lines"}
    return given | {"command": name}


def plain(value: Any) -> Any:
    match value:
        case tuple() | list():
            return [plain(one) for one in value]
        case Path():
            return str(value)
        case float() if math.isinf(value):
            return "inf"
        case _ if is_dataclass(value):
            return value.shown  # type: ignore[union-attr]  # a workload: its name, and its tokens in and out
    return value
