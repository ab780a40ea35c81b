"""Ray: the command lines of its units, and the check of its GPUs through it. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cluster.command import Command, Hint, Probe, last_json, program
from cluster.inventory import HostSpec, Inventory
from cluster.launch.environment import (
    authentication,
    environment,
    public,
    ray_address,
    secret,
    token_path,
    versions,
)
from cluster.launch.unit import STATE_HINTS, Unit
from cluster.values import LaunchTarget
from cluster.values.base import shaped

#: These are small on purpose. The defaults are every core (one idle worker each) and 30 % of the memory. The
#: executor needs neither: its actors have num_cpus=0, and its queues are vLLM's own.
_CPUS = 4
_OBJECT_STORE_BYTES = 256 << 20

_VERIFY_HINTS = (
    Hint("No module named", "the venv of the head has no Ray", "install `ray[default]` there"),
    Hint("Version mismatch", "Ray or Python differs between the hosts",
         "install the same versions in the venvs of all hosts"),
)  # fmt: skip


def unit(inventory: Inventory, spec: HostSpec, facts: LaunchTarget) -> Unit:
    """Returns the Ray unit of one host, as head or as worker."""
    variables = environment(inventory, spec, facts)
    program = f"{inventory.runtime.venv}/bin/ray"
    return Unit(
        cluster=inventory.cluster,
        host=spec.name,
        name="ray",
        state=facts.state,
        argv=(program, "start", *_role(inventory, spec), *_arguments(inventory, spec, facts)),
        env=public(variables),
        secrets=secret(variables),
        versions=versions(facts),
        ports=ports(inventory, spec),
    )


def ports(inventory: Inventory, spec: HostSpec) -> tuple[int, ...]:
    """Returns the ports that Ray binds on this host; of its workers' range only the first and the last."""
    ray = inventory.ray
    heads = (ray.port,) if spec.role == "head" else ()
    return (ray.node_manager_port, ray.object_manager_port, *heads, ray.min_worker_port, ray.max_worker_port)


def _role(inventory: Inventory, spec: HostSpec) -> tuple[str, ...]:
    if spec.role == "head":
        return ("--head", f"--port={inventory.ray.port}", "--include-dashboard=false")
    return (f"--address={ray_address(inventory)}",)


def _arguments(inventory: Inventory, spec: HostSpec, facts: LaunchTarget) -> tuple[str, ...]:
    ray = inventory.ray
    arguments = (
        f"--node-ip-address={spec.cluster_address}",
        f"--node-manager-port={ray.node_manager_port}",
        f"--object-manager-port={ray.object_manager_port}",
        f"--min-worker-port={ray.min_worker_port}",
        f"--max-worker-port={ray.max_worker_port}",
        f"--num-cpus={_CPUS}",
        f"--object-store-memory={_OBJECT_STORE_BYTES}",
        f"--temp-dir={facts.state}/ray",
        "--disable-usage-stats",
        "--block",
    )
    # Ray repeats a declared number without a check, so it is passed only where Ray cannot count by itself.
    return (*arguments, f"--num-gpus={spec.gpus}") if ray.declare_gpus else arguments


def token(state: str, venv: str, token: str = "") -> Probe[str]:
    """Returns the token on a host: the given one, or the existing one, or a new one."""
    payload = {"path": token_path(state), "token": token}
    command = program("units.ray_token", payload, title="prepare Ray's token", venv=venv, hints=STATE_HINTS)
    return Probe(replace(command, secret=True), lambda output: shaped(str, last_json(output)["token"]))


@dataclass(frozen=True)
class GpuAnswer:
    """One GPU as a task of Ray sees it; `cuda` is ok, or "not checked" where the host has no libcuda."""

    uuid: str
    memory_mib: int
    cuda: str


def verify_gpus(inventory: Inventory, state: str, patience: float) -> Command:
    """Runs one process on the head that waits for every host, uses every GPU, and reports the result."""
    payload = {
        "address": ray_address(inventory),
        "authentication": authentication(state),
        "hosts": [{"address": spec.cluster_address, "gpus": spec.gpus} for spec in inventory.hosts],
        "patience": patience,
    }
    title = "verify the GPUs through Ray"
    venv = inventory.runtime.venv
    return program(
        "trials.verify_gpus", payload, title=title, venv=venv, timeout=patience + 60, hints=_VERIFY_HINTS
    )


def gpu_answers(message: dict[str, Any]) -> tuple[GpuAnswer, ...]:
    """Reads one message about GPUs. Raises ValueError for any other message."""
    return shaped(tuple[GpuAnswer, ...], message["proved"])


def describe_missing(inventory: Inventory, joined: dict[str, int]) -> str:
    """Returns, in the operator's words, how the hosts in Ray differ from the inventory; empty where they are
    equal."""
    expected = {spec.cluster_address: spec for spec in inventory.hosts}
    missing = [
        f"{spec.name} ({address}) has not joined" if address not in joined else
        f"{spec.name} has {joined[address]} of {spec.gpus} GPUs in Ray"
        for address, spec in expected.items() if joined.get(address) != spec.gpus
    ]  # fmt: skip
    missing += [
        f"{address} has joined but is not in the inventory" for address in joined if address not in expected
    ]
    return "; ".join(missing)


#: The order decides: a refused token also shows as a Ray that cannot be reached.
_EXIT_CAUSES = (
    Hint(r"(?:raylet|gcs_server) \[exit code=-9\]",
         "one of its processes was killed with SIGKILL, by a user or by the kernel when memory ran out",
         "run `dmesg -T | grep -i kill` on that host to see who; then run `up` again"),
    Hint(r"(?:raylet|gcs_server) \[exit code=-(?:4|6|7|11)\]", "one of its processes crashed",
         "read `dmesg -T` on that host, and raylet.err and gcs_server.err in the bundle of `orchestrator "
         "diagnose`"),
    Hint(r"InvalidAuthToken|Authentication token|AuthenticationError", "its token differs from the head's",
         "run `down`, then `up`: every host gets the same token"),
    Hint(r"Version mismatch", "Ray or Python differs between the hosts",
         "install the same versions in the venvs of all hosts; `orchestrator check` compares them"),
    Hint(r"AF_UNIX path length|path length cannot exceed", "the path of its state directory is too long",
         "choose a shorter `runtime: state_directory:`"),
    Hint(r"does not match persisted value", "another Ray listens on the head's port",
         "end that Ray, or choose another `ray: port:`"),
    Hint(r"node timed out during startup", "its raylet did not start within the 30 s that Ray allows",
         "find what keeps that host busy; read raylet.out in the bundle of `orchestrator diagnose`; then "
         "run `up` again"),
    Hint(r"Address already in use|port .{0,100} is (?:already )?in use", "another process uses a port of Ray",
         "find the process with `orchestrator check`, or choose other ports under `ray:`"),
    Hint(r"No space left", "a disk or /dev/shm is full", "free some space on that host"),
    Hint(r"(?i)Too many open files|can't start new thread|Resource temporarily unavailable",
         "it has reached a limit of files, threads or processes", "raise `ulimit -n` and `-u` on that host"),
    Hint(r"marked dead|missed too many heartbeats|lost connection to .{0,100}GCS", 
         "its connection to the head broke",
         "check the network between the hosts, and Ray on the head; then run `up` again"),
    Hint(r"(?i)connect to (?:the )?GCS|could not connect", "it could not reach the head's Ray",
         "open `ray: port:` between the hosts, and check that Ray runs on the head: "
         "`orchestrator logs --unit ray`"),
)  # fmt: skip

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_LOST = "read raylet.out and gcs_server.out in the bundle of `orchestrator diagnose`; `up` starts Ray again"
_UNKNOWN = Hint("", "", "read the log: `orchestrator logs --unit ray`; then run `up` again")


def exit_cause(log: str, lost: Sequence[str] = ()) -> Hint:
    """Returns why a Ray exited, or why its processes in `lost` exited, by its log. The cause is empty where it is
    unknown."""
    text = _COLOUR.sub("", log)
    unknown = Hint("", f"its {' and its '.join(lost)} exited", _LOST) if lost else _UNKNOWN
    return next((hint for hint in _EXIT_CAUSES if hint.fits(text)), unknown)


def last_lines(log: str, count: int) -> str:
    """Returns the last lines, without the pages about its own state that a Ray writes as it exits."""
    lines = [line for line in _COLOUR.sub("", log).splitlines() if "[state-dump]" not in line and line.strip()]
    return "\n".join(lines[-count:])
