"""The words of the command line, and what a person is told of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.cli import bench_arguments as bench
from orchestrator.cli.argument_types import at_least_zero, check_name, inventory_and_hosts, seconds


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Leaves the program, with its usage, where the words mean nothing."""
    words, command = _split(bench.join_words(list(words)))
    arguments, more = parser().parse_known_args(words)
    if hasattr(arguments, "places") and not any(word.startswith("-") for word in more):
        # Words behind an option are hosts as well: argparse takes only those that stand together.
        arguments.inventory, arguments.hosts = inventory_and_hosts([*arguments.places, *more])
    elif more:
        arguments.refuse(f"unrecognized arguments: {' '.join(more)}")
    if arguments.verb == "exec" and not command:
        arguments.refuse("say what to run behind `--`")
    arguments.command = tuple(command)
    arguments.skip, arguments.units = (tuple(getattr(arguments, name, ())) for name in ("skip", "units"))
    if getattr(arguments, "form", "") == "json":
        arguments.output = "json"
    arguments.bench = bench.bench_arguments(arguments) if hasattr(arguments, "num_prompts") else None
    return arguments


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Ours and, for `exec`, those behind `--`, which belong to somebody else."""
    if words[:1] != ["exec"] or "--" not in words:
        return words, []
    end = words.index("--")
    return words[:end], words[end + 1 :]


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="orchestrator",
        description="Serves one very large model over several GPU hosts, and proves every step.",
        epilog="Example: orchestrator up inventory.yaml",
    )
    top.add_argument("--version", action=_Version, help="say which version this is")
    commands = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    _add_runs(commands)
    _add_plan(commands)
    _add_check(commands)
    status = _add(commands, "status", "what runs where, and whether tokens come", "status inventory.yaml --watch")
    status.add_argument("--watch", action="store_true", help="look again and again, until Ctrl-C")
    _add_logs(commands)
    _add_diagnose(commands)
    _add_exec(commands)
    bench.add(commands, _add)
    unlock = _add(
        commands,
        "unlock",
        "break the lease of somebody who works on the cluster",
        'unlock --reason "bob has left"',
    )
    unlock.add_argument("--reason", metavar="WHY", required=True, help="is told to whoever holds it")
    return top


class Parser(argparse.ArgumentParser):
    """What it prints was asked for: where it cannot be written, the program fails."""

    def print_help(self, file: Any = None) -> None:
        self.put(self.format_help())

    def put(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            pass  # nobody reads it
        except OSError as error:
            self.exit(1, f"{self.prog}: failed to write the result to stdout: {error.strerror}\n")


class _Version(argparse.Action):
    """Looked up when it is asked for alone."""

    def __init__(self, option_strings: Sequence[str], dest: str, **words: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, **words)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from orchestrator.local.version import version

        assert isinstance(parser, Parser)
        parser.put(version() + "\n")
        parser.exit()


def _add_runs(commands: Any) -> None:
    up = _new(commands, "up", "bring the cluster up, and announce the endpoint once it gave a token")
    up.add_argument("inventory", type=Path, help="the inventory file")
    up.add_argument("--keep", action="store_true", help="when it fails, leave what was started for a look")
    anew = up.add_mutually_exclusive_group()
    anew.add_argument("--restart", action="store_true", help="launch vLLM anew, even where it runs as wanted")
    anew.add_argument("--recreate", action="store_true", help="launch everything anew: Ray as well")
    up.add_argument("--yes", action="store_true", help="stop what somebody else launched without being asked")
    _add_skip(up)
    down = _add(commands, "down", "take it away, and prove that every GPU is free")
    for command in (up, down):
        command.add_argument("--wait", action="store_true", help="wait while somebody else works on the cluster")


def _add_plan(commands: Any) -> None:
    plan = _add(commands, "plan", "whether the model fits, and what `up` would run; starts nothing")
    plan.add_argument(
        "--hosts",
        dest="ask_hosts",
        action="store_true",
        help="ask the hosts as well: their GPUs, the model, and which options vLLM takes (half a minute)",
    )


def _add_check(commands: Any) -> None:
    check = _add(commands, "check", "whether the hosts are fit, with what to do where they are not")
    check.add_argument("--all", action="store_true", help="list what is well, too")
    check.add_argument("--strict", action="store_true", help="a warning is an exit status of 3 as well")
    check.add_argument("--deep", action="store_true", help="compare hashes of the model's files (minutes)")
    check.add_argument("--fabric", action="store_true", help="an all-reduce over all GPUs as well (a minute)")
    _add_skip(check)


def _add_skip(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--skip",
        metavar="CHECK",
        type=check_name,
        action="append",
        default=[],
        help="its findings do not count in this run; may be given several times",
    )


def _add_logs(commands: Any) -> None:
    example = "logs gpu-b --unit ranks --follow"
    logs = _add(commands, "logs", "what Ray, vLLM and the ranks have said on the hosts", example, places=True)
    logs.add_argument(
        "--unit",
        choices=("ray", "vllm", "ranks"),
        dest="units",
        action="append",
        default=[],
        help="of this alone; several times: of these (ranks: the files of Ray's workers and of NCCL)",
    )
    logs.add_argument(
        "--lines",
        metavar="N",
        type=at_least_zero,
        default=200,
        help="the last N of each file (default: %(default)s)",
    )
    logs.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")


def _add_diagnose(commands: Any) -> None:
    """`--output` says on every command how to show its result: the file goes `--to`."""
    diagnose = _add(
        commands,
        "diagnose",
        "everything that is known of it in one file, without secrets",
        "diagnose inventory.yaml --to /tmp",
    )
    diagnose.add_argument(
        "--to", metavar="PATH", type=Path, help="the file, or a folder for it (default: the folder you are in)"
    )


def _add_exec(commands: Any) -> None:
    example = "exec gpu-a gpu-b -- nvidia-smi -L"
    run = _add(commands, "exec", "run a command on the hosts, the venv first on PATH", example, places=True)
    run.usage = (
        "orchestrator exec [INVENTORY] [HOST ...] [--cluster NAME] [--timeout SECONDS] [--output ...] -- CMD ..."
    )
    run.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=600.0,
        help="end it after that (default: %(default)g)",
    )


def _add(commands: Any, name: str, what: str, example: str = "", places: bool = False) -> argparse.ArgumentParser:
    """A command that needs no inventory once one was used; `places`: and that can be given hosts."""
    command = _new(commands, name, what, example)
    if places:
        command.add_argument(
            "places",
            nargs="*",
            metavar="INVENTORY | HOST",
            help="the inventory file (default: the one last used); hosts (default: all)",
        )
    else:
        command.add_argument(
            "inventory", type=Path, nargs="?", help="the inventory file (default: the one last used)"
        )
    command.add_argument("--cluster", metavar="NAME", help="which cluster, when several were used from here")
    return command


def _new(commands: Any, name: str, what: str, example: str = "") -> argparse.ArgumentParser:
    epilog = f"Example: orchestrator {example or f'{name} inventory.yaml'}"
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=f"{name}: {what}.", epilog=epilog
    )
    command.set_defaults(keep=False, cluster=None, refuse=command.error)
    command.add_argument(
        "--output",
        choices=("auto", "live", "plain", "json"),
        help="how to show it; json: for a program, the result on stdout, events as JSON lines on stderr",
    )
    return command
