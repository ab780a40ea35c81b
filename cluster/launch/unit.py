"""A long-lived process that we own on a host: launch, stop, and the folder with its record and log."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Literal

from cluster.command import Command, Hint, Probe, last_json, program
from cluster.inventory import HostSpec, ssh_command
from cluster.values import Launcher, Leftover, Presence, UnitState
from cluster.values.base import Fact, shaped

Name = Literal["ray", "vllm"]

#: Seconds for a unit to exit on SIGTERM, before its whole tree is killed. All numbers are measured. Ray exits
#: after 4 s on an idle cluster; without its head it takes more than 20 s. A serving vLLM exits after 1 s; a
#: loading one ignores the signal.
STOP_TIMEOUTS: tuple[tuple[Name, float], ...] = (("ray", 10.0), ("vllm", 8.0))

#: Seconds for the status of a unit, which takes a fraction of one: a waiting operator must learn that a host
#: hangs.
_TIMEOUT = 10.0

#: Bytes: one MiB of a log and its beginning, as JSON, which may need six characters for one.
_MOST = 8 << 20

#: The reasons why our programs cannot write in the state directory.
STATE_HINTS = (
    Hint(
        "belongs to another user",
        "another user created the state directory",
        "run `orchestrator check`, or choose another directory under `runtime: state_directory:`",
    ),
    Hint(
        "is a symbolic link of|is not a folder, and|is writable by other users",
        "the state directory is not private to this user",
        "run `orchestrator check`, or choose another directory under `runtime: state_directory:`",
    ),
    Hint(
        "is not a plain file of this user",
        "a link, a pipe, a folder or a file of another user has the name of our file",
        "look at it first; then remove it as root with `rm -r -- PATH`, and run the same command again",
    ),
    Hint("No space left", "the disk of the state directory is full", "free space there"),
    Hint(
        "Read-only file system",
        "the state directory is on a read-only disk",
        "choose another directory under `runtime: state_directory:`",
    ),
)

_HINTS = (
    *STATE_HINTS,
    Hint("already runs", "another launch has started this unit", "run the same command again"),
    Hint(
        "No such file or directory",
        "the venv of this host does not have the program",
        "install it there, or correct `runtime: venv:`",
    ),
)


def folder_name(cluster: str, host: str) -> str:
    """Returns the folder of this cluster and host below the state directory: short, because Ray's sockets are in
    it."""
    return hashlib.sha256(f"{cluster}/{host}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Unit:
    """A unit to run.

    `state` is the cluster's folder on the host. `versions` are the installed versions at its launch. `ports` are
    those that it binds late, so that a check could bind them first. `modules` are texts by name that its Python
    can import.
    """

    cluster: str
    host: str
    name: Name
    state: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    versions: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()
    modules: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> str:
        return f"{self.state}/{self.name}"

    @property
    def fingerprint(self) -> str:
        """Returns the hash that decides whether a running unit is outdated: argv, environment, secrets, versions,
        modules.

        Without modules it equals the hash of older code, which had no modules.
        """
        everything = [self.argv, sorted(self.env), sorted(self.secrets), sorted(self.versions)]
        everything += [sorted(self.modules)] if self.modules else []
        return hashlib.sha256(json.dumps(everything).encode()).hexdigest()

    def runs(self, observed: UnitState) -> bool:
        """Returns whether the observed unit is this one, and alive."""
        return observed.presence is Presence.ALIVE and observed.fingerprint == self.fingerprint


def launch(unit: Unit, venv: str, by: Launcher | None = None, run: str = "") -> Command:
    """Launches the unit under a keeper and returns once it runs; its output goes to its log.

    `by` is the operator, and `run` is the id of the run. Its record shows both to other operators, and `run` to a
    rollback.
    """
    record = {
        "cluster": unit.cluster,
        "host": unit.host,
        "unit": unit.name,
        "argv": unit.argv,
        "env": dict(unit.env),
        "versions": dict(unit.versions),
        "fingerprint": unit.fingerprint,
        **({"launched_by": by.model_dump()} if by else {}),
        **({"launch": run} if run else {}),
    }
    payload = {
        "state": unit.state,
        "folder": unit.folder,
        "unit": unit.name,
        "venv": venv,
        "argv": unit.argv,
        "env": dict(unit.env) | dict(unit.secrets),
        "record": record,
        "ports": unit.ports,
        **({"modules": dict(unit.modules)} if unit.modules else {}),
    }
    title = f"launch {unit.name}"
    return program("units.keeper", payload, title=title, venv=venv, hints=_HINTS, unit=unit.name)


class _Left(Fact):
    """A process that is alive after SIGKILL."""

    pid: int
    command: str


class _StopAnswer(Fact):
    """The answer of the program that stops a unit."""

    left: tuple[_Left, ...]
    another: bool = False


@dataclass(frozen=True)
class StopResult:
    """The processes of a unit that are alive after SIGKILL. `others` is a unit of another run, which keeps
    running."""

    left: tuple[Leftover, ...] = ()
    others: bool = False


def stop(name: Name, spec: HostSpec, state: str, venv: str, run: str = "") -> Probe[StopResult]:
    """Ends the unit and all its processes.

    If `run` is given, a unit of another run keeps running.
    """
    timeout = dict(STOP_TIMEOUTS)[name]
    payload = {"folder": f"{state}/{name}", "patience": timeout, **({"launch": run} if run else {})}
    command = program("units.stop", payload, title=f"stop {name}", venv=venv, timeout=timeout + 30, unit=name)

    def parse(output: str) -> StopResult:
        answer = shaped(_StopAnswer, last_json(output))
        left = [(process.pid, process.command) for process in answer.left]
        leftovers = (
            Leftover(spec.name, f"pid {pid}: {command}", ssh_command(spec, f"kill -9 {pid}"))
            for pid, command in left
        )
        return StopResult(tuple(leftovers), answer.another)

    return Probe(command, parse)


def remove_state(state: str, venv: str) -> Command:
    """Removes the files of a stopped cluster on a host: records, logs, tokens, Ray's session. The caches stay."""
    return program("units.remove_state", {"state": state}, title="clean the state directory", venv=venv)


@dataclass(frozen=True)
class UnitStatus:
    """The status of a unit.

    `text` is the new part of the log, from `offset` on. `read` counts the bytes that all our processes on the host
    have read. `health` is an HTTP status. A health of 0 means that no server answers, or that it was not asked.
    `lost` names the processes that a failed Ray needs and no longer has.
    """

    presence: Presence
    status: int | None
    offset: int
    text: str
    read: int
    health: int
    lost: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        return self.presence is Presence.ALIVE


def status(name: Name, state: str, venv: str, offset: int = 0, health: str = "") -> Probe[UnitStatus]:
    """Returns the probe for the status; `health` is a URL that the host itself asks."""
    trees = [f"{state}/ray", f"{state}/vllm"]
    payload = {"folder": f"{state}/{name}", "trees": trees, "offset": offset, "health": health}
    command = program(
        "units.unit_status", payload, title=f"read the status of {name}", venv=venv, timeout=_TIMEOUT, unit=name
    )

    def parse(output: str) -> UnitStatus:
        return shaped(UnitStatus, last_json(output))

    return Probe(replace(command, most=_MOST), parse)
