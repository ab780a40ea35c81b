"""What runs a command on a host."""

import os
from pathlib import Path
from typing import NamedTuple

from . import driver, state
from .errors import SandboxError
from .layout import FOLDER, PATH
from .network import tool

_SIDES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")


class Inside(NamedTuple):
    argv: list[str]
    environment: dict[str, str]


def inside(name: str, host: str, words: list[str]) -> Inside:
    """Raises SandboxError when there is no such host, or it has ended."""
    hosts = {one.name: one for one in state.hosts(FOLDER / name)}
    if not hosts:
        raise SandboxError(f"sandbox {name} is not up")
    if host not in hosts:
        raise SandboxError(f"no host {host}; there are {', '.join(hosts)}")
    if not hosts[host].init.lives():
        raise SandboxError(f"{host} is no longer running")
    argv = [tool("nsenter"), "--target", str(hosts[host].init.pid), *_SIDES, "--", *words]
    environment = {"PATH": driver.path(os.environ, PATH), **driver.variables(os.environ)}
    return Inside(argv, environment | {"HOME": str(Path.home()), "TERM": os.environ.get("TERM", "dumb")})
