"""`python -m sandbox up | down | exec`."""

import argparse
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from .errors import SandboxError
from .inside import inside
from .layout import Order


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    try:
        status: int = options.act(options)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Hosts made of namespaces.")
    commands = parser.add_subparsers(required=True, metavar="up | down | exec")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--name", type=_name, default="default", help="of several sandboxes")
    _add_up(commands.add_parser("up", parents=[named], help="make hosts; prints the path of their inventory"))
    commands.add_parser("down", parents=[named], help="remove all of it").set_defaults(act=_down)
    inside = commands.add_parser("exec", parents=[named], help="run a command on a host")
    inside.add_argument("host", metavar="HOST")
    inside.add_argument("command", nargs="+", metavar="-- CMD")
    inside.set_defaults(act=_exec)
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hosts", type=_count(100), default=2, help="default: %(default)s")
    parser.add_argument("--gpus", type=_count(16), default=8, help="on each host (default: %(default)s)")
    parser.add_argument("--engine", choices=["vllm", "scripted"], default="vllm", help="default: %(default)s")
    parser.add_argument("--real-gpus", action="store_true", help="this machine's own, dealt out host by host")
    parser.add_argument("--first-gpu", type=_index, default=0, help="to deal out, where others are in use")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="what the hosts with real GPUs serve")
    parser.add_argument("--inventory", type=Path, metavar="PATH", help="write the inventory here as well")
    parser.add_argument("--owner", type=int, metavar="PID", help="end when this process ends")
    parser.set_defaults(act=_up)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", text):
        raise argparse.ArgumentTypeError("a name has lower-case letters, digits and dashes")
    return text


def _index(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a number from 0 on")
    return int(text)


class _count:
    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= self.most:
            raise argparse.ArgumentTypeError(f"a number from 1 to {self.most}")
        return int(text)


def _up(options: argparse.Namespace) -> int:
    from .up import up  # here and below: `exec` is called often and needs none of it

    print(up(_order(options), options.inventory.absolute() if options.inventory else None))
    return 0


def _order(options: argparse.Namespace) -> Order:
    if options.real_gpus == (options.model is None):
        raise SandboxError("--real-gpus and --model go together: the tiny model is for CPUs")
    if options.real_gpus and options.engine == "scripted":
        raise SandboxError("the scripted engine holds no real GPU")
    order = Order(options.name, options.hosts, options.gpus, options.engine, options.owner)
    if not options.real_gpus:
        return order
    return replace(order, real=True, model=options.model.absolute(), first_gpu=options.first_gpu)


def _down(options: argparse.Namespace) -> int:
    from .down import down

    found = down(options.name)
    print(f"sandbox {options.name} is {'gone' if found else 'not up'}", file=sys.stderr)
    return 0


def _exec(options: argparse.Namespace) -> NoReturn:
    argv, environment = inside(options.name, options.host, options.command)
    os.execve(argv[0], argv, environment)
