"""The words of `bench`."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.bench.workload import COLD, GUIDE, NUM_PROMPTS, ORIGINS, RATE, Workload, workload
from orchestrator.cli.argument_types import real, whole
from orchestrator.session.request import BenchArguments

#: What may stand behind `bench`, instead of an inventory.
MORE = ("report", "compare", "layouts")


def join_words(words: list[str]) -> list[str]:
    """`bench report` is a command of its own."""
    return (
        [" ".join(words[:2]), *words[2:]] if words[:1] == ["bench"] and words[1:2] and words[1] in MORE else words
    )


def add(commands: Any, new: Callable[..., argparse.ArgumentParser]) -> None:
    """`new` makes a command that needs no inventory once one was used."""
    example = "bench inventory.yaml --workload prompt-heavy"
    bench = new(
        commands, "bench", "the published benchmark against the running endpoint, cold and proved so", example
    )
    _add_matrix(bench)
    _add_layouts(commands, new)
    _add_report(commands)
    _add_compare(commands)


def _add_layouts(commands: Any, new: Callable[..., argparse.ArgumentParser]) -> None:
    what = "the same benchmark on several layouts, each brought up and taken down again"
    layouts = new(commands, "bench layouts", what, "bench layouts inventory.yaml --layouts 16x1,8x2")
    _add_matrix(layouts)
    layouts.add_argument(
        "--layouts", metavar="TxP[,TxP...]", type=_layouts, action="extend", required=True,
        help="tensor times pipeline parallelism; may be given several times",
    )  # fmt: skip


def _add_report(commands: Any) -> None:
    what = "one page of results, with plots, that needs no network"
    report = _tables(
        commands, "bench report", what, ("html", "json", "csv", "markdown"), "bench report bench-demo"
    )
    report.add_argument("folders", nargs="+", metavar="DIR", type=Path, help="folders that `bench` wrote")
    report.add_argument("--to", metavar="FILE", type=Path, help="the page (default: report.html in the first DIR)")


def _add_compare(commands: Any) -> None:
    what = "two folders of results, pair by pair, and what that proves"
    command = _tables(
        commands, "bench compare", what, ("plain", "json", "markdown"), "bench compare bench-a bench-b"
    )
    command.add_argument("folders", nargs=2, metavar="DIR", type=Path, help="A and B: folders that `bench` wrote")


def _tables(commands: Any, name: str, what: str, forms: tuple[str, ...], example: str) -> argparse.ArgumentParser:
    """A command about results alone: it needs no inventory and no host."""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=f"{name}: {what}.", epilog=f"Example: orchestrator {example}"
    )
    command.set_defaults(inventory=None, cluster=None, refuse=command.error, output=None)
    command.add_argument("--output", dest="form", choices=forms, default=forms[0], help="default: %(default)s")
    return command


def _add_matrix(command: argparse.ArgumentParser) -> None:
    names = ", ".join(known.name for known in GUIDE)
    command.add_argument(
        "--workload", metavar="NAME|IN/OUT", type=_workload, action="append", default=[],
        help=f"{names}, or tokens in and out; may be given several times (default: these three)",
    )  # fmt: skip
    command.add_argument(
        "--num-prompts", metavar="N[,N...]", type=_numbers, action="extend", default=[],
        help=f"requests of a run; may be given several times (default: {','.join(map(str, NUM_PROMPTS))})",
    )  # fmt: skip
    command.add_argument(
        "--rate", metavar="R", type=_rate, default=RATE, help="requests sent a second (default: %(default)g)"
    )
    command.add_argument("--repeat", metavar="N", type=_positive, default=1, help="runs of each (default: 1)")
    command.add_argument(
        "--from", dest="origin", choices=ORIGINS, type=str.lower, default="head",
        help="where the client runs: on the head (default), or on this machine",
    )  # fmt: skip
    command.add_argument(
        "--cold", choices=COLD, default="salt",
        help="how the prefix cache is kept from helping: a new seed and a salt of its own for each run (default), "
        "a new seed alone, a reset by the server, or a restart of vLLM before each run",
    )  # fmt: skip
    command.add_argument("--seed", metavar="N", type=_seed, help="what the runs' seeds are made of (default: any)")
    command.add_argument(
        "--results",
        metavar="DIR",
        type=Path,
        help="the folder of results; one that is there already is gone on in",
    )


def bench_arguments(arguments: argparse.Namespace) -> BenchArguments:
    return BenchArguments(
        workloads=tuple(dict.fromkeys(arguments.workload)) or GUIDE,
        num_prompts=tuple(dict.fromkeys(arguments.num_prompts)) or NUM_PROMPTS,
        rate=arguments.rate,
        repeat=arguments.repeat,
        cold=arguments.cold,
        origin=arguments.origin,
        seed=arguments.seed,
        results=arguments.results,
        layouts=tuple(dict.fromkeys(getattr(arguments, "layouts", ()))),
    )


def _workload(word: str) -> Workload:
    try:
        return workload(word)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _numbers(words: str) -> tuple[int, ...]:
    return tuple(map(_positive, words.split(",")))


def _layouts(words: str) -> tuple[tuple[int, int], ...]:
    return tuple(map(_layout, words.split(",")))


def _layout(word: str) -> tuple[int, int]:
    sizes = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", word)
    if not sizes:
        raise argparse.ArgumentTypeError(f"{word} is no layout: tensor x pipeline, such as 8x2")
    return int(sizes[1]), int(sizes[2])


def _positive(word: str) -> int:
    number = whole(word, "a whole number from 1 on")
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return number


def _seed(word: str) -> int:
    number = whole(word, f"a whole number from 0 to {2**31 - 1}")
    if not 0 <= number < 2**31:
        raise argparse.ArgumentTypeError(f"{word} is no seed: 0 to {2**31 - 1}")
    return number


def _rate(word: str) -> float:
    """`inf` sends all at once."""
    number = real(word, "a number of requests a second, or inf")
    if math.isnan(number) or number <= 0:
        raise argparse.ArgumentTypeError(f"{word} is no rate")
    return number
