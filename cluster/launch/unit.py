"""A long-lived process that we own on a host: launch, stop, and the folder where its record and log lie."""

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

#: How long a unit may take to leave on SIGTERM, in seconds, before its whole tree is killed. Ray is gone after 4
#: on an idle cluster, one whose head is lost not within 20; a serving vLLM after 1, one that is loading does not
#: hear it at all (all measured).
STOP_TIMEOUTS: tuple[tuple[Name, float], ...] = (("ray", 10.0), ("vllm", 8.0))

#: Seconds for the status of a unit, which takes a fraction of one: whoever waits wants to know that a host hangs.
_TIMEOUT = 10.0

#: Bytes: a MiB of a log and its beginning, as JSON, which has six characters for one that is none.
_MOST = 8 << 20

#: What keeps any program of ours from writing in the state directory.
STATE_HINTS = (
    Hint(
        "belongs to somebody else",
        "the state directory was made by another user",
        "see `orchestrator check`, or choose another one under `runtime: state_directory:`",
    ),
    Hint(
        "is a symbolic link of|is no folder, and|may be written by other users",
        "the state directory is not ours alone",
        "see `orchestrator check`, or choose another one under `runtime: state_directory:`",
    ),
    Hint("No space left", "the disk of the state directory is full", "free some space there"),
    Hint(
        "Read-only file system",
        "the state directory is on a read-only disk",
        "choose another one under `runtime: state_directory:`",
    ),
)

_HINTS = (
    *STATE_HINTS,
    Hint("runs already", "another launch was faster", "run the same command again"),
    Hint(
        "No such file or directory",
        "the program is not in the venv of this host",
        "install it there, or correct `runtime: venv:`",
    ),
)


def folder_name(cluster: str, host: str) -> str:
    """The folder of this cluster and host below the state directory: short, since Ray's sockets lie under it."""
    return hashlib.sha256(f"{cluster}/{host}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Unit:
    """What is to run: `state` is the cluster's folder on the host, `versions` those it is launched with, `ports`
    what it binds so late that a check could be there first, `modules` texts by name that its Python can import."""

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
        """Decides whether a running unit is still the wanted one: argv, environment, secrets, versions, modules.

        One without modules has that of code which knew none.
        """
        everything = [self.argv, sorted(self.env), sorted(self.secrets), sorted(self.versions)]
        everything += [sorted(self.modules)] if self.modules else []
        return hashlib.sha256(json.dumps(everything).encode()).hexdigest()

    def runs(self, observed: UnitState) -> bool:
        """Whether the observed unit is this very one, alive."""
        return observed.presence is Presence.ALIVE and observed.fingerprint == self.fingerprint


def launch(unit: Unit, venv: str, by: Launcher | None = None, run: str = "") -> Command:
    """Launches the unit under a keeper and returns once it runs; what it says goes to its log. `by` is who
    launches it, and `run` in which of their runs: its record says so to others, and to a rollback of that run."""
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
    """A process that outlived SIGKILL."""

    pid: int
    command: str


def stop(name: Name, spec: HostSpec, state: str, venv: str, run: str = "") -> Probe[tuple[Leftover, ...]]:
    """Ends the unit and everything it started; what is left after SIGKILL comes back. With `run`, a unit that was
    launched in another run is left alone."""
    timeout = dict(STOP_TIMEOUTS)[name]
    payload = {"folder": f"{state}/{name}", "patience": timeout, **({"launch": run} if run else {})}
    command = program("units.stop", payload, title=f"stop {name}", venv=venv, timeout=timeout + 30, unit=name)

    def parse(output: str) -> tuple[Leftover, ...]:
        left = [(process.pid, process.command) for process in shaped(list[_Left], last_json(output)["left"])]
        return tuple(
            Leftover(spec.name, f"pid {pid}: {command}", ssh_command(spec, f"kill -9 {pid}"))
            for pid, command in left
        )

    return Probe(command, parse)


def remove_state(state: str, venv: str) -> Command:
    """Removes what a stopped cluster leaves on a host: records, logs, tokens, Ray's session; the caches stay."""
    return program("units.remove_state", {"state": state}, title="clean the state directory", venv=venv)


@dataclass(frozen=True)
class UnitStatus:
    """What a unit is at: the text of its log from `offset` of the last time on, bytes read so far by everything of
    ours on the host, the HTTP status of its health (0: nobody answers, or it was not asked), and what a Ray has
    lost that is dead for want of it."""

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
    """`health` is a URL that the host itself asks."""
    trees = [f"{state}/ray", f"{state}/vllm"]
    payload = {"folder": f"{state}/{name}", "trees": trees, "offset": offset, "health": health}
    command = program(
        "units.unit_status", payload, title=f"look at {name}", venv=venv, timeout=_TIMEOUT, unit=name
    )

    def parse(output: str) -> UnitStatus:
        return shaped(UnitStatus, last_json(output))

    return Probe(replace(command, most=_MOST), parse)
