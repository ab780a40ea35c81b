"""What one look at sixteen hosts costs: the orchestrator against as many `ssh` processes, alternating in one run.

Both sides send the same programs to the same sandbox hosts: `status` the first look, `check` that and then
what only trying can show. `check` also tries every pair of hosts, which a few lines of shell do not. Each
time is that of the whole process, its start included. Prints a Markdown table.

Usage: bench_check.py [PAIRS] [HOSTS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from cluster.command import Command
from cluster.inventory import Inventory, load
from cluster.probes.active_checks import venv_check
from cluster.probes.facts import facts
from cluster.state.observe import observe
from orchestrator.local.settings import Settings
from orchestrator.session.session import connected

ROOT = Path(__file__).parents[1]


@contextmanager
def hosts(number: int) -> Iterator[Path]:
    """Sandbox hosts of one GPU each; the inventory's path."""
    sandbox = [sys.executable, "-m", "sandbox"]
    shape = ["--hosts", str(number), "--gpus", "1", "--engine", "scripted", "--owner", str(os.getpid())]
    done = subprocess.run(
        [*sandbox, "up", *shape, "--name", "bench"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    try:
        yield Path(done.stdout.splitlines()[-1])
    finally:
        subprocess.run([*sandbox, "down", "--name", "bench"], cwd=ROOT, capture_output=True, check=True)


def looks(inventory: Inventory) -> dict[str, list[Command]]:
    return {spec.name: [facts(inventory, spec).command] for spec in inventory.hosts}


def tries(inventory: Inventory) -> dict[str, list[Command]]:
    """The first look and the second, which depends on what the first one saw."""
    fleet = connected(inventory, Settings())
    seen = observe(inventory, fleet)
    fleet.close()
    found = looks(inventory)
    for spec in inventory.hosts:
        known = seen[spec.name].facts
        assert known, seen[spec.name].problem
        found[spec.name].append(venv_check(inventory, spec, known).command)
    return found


def by_hand(inventory: Inventory, commands: dict[str, list[Command]]) -> float:
    """One `ssh` a command, the hosts at once."""
    begun = time.monotonic()
    threads = [Thread(target=_ssh, args=(inventory, spec.name, commands[spec.name])) for spec in inventory.hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def _ssh(inventory: Inventory, name: str, commands: Sequence[Command]) -> None:
    spec = inventory.host(name)
    known = f"UserKnownHostsFile={inventory.known_hosts}"
    argv = ["ssh", "-i", str(spec.identity_file), "-o", known, "-o", "BatchMode=yes", f"root@{spec.address}"]
    for command in commands:
        pipe = subprocess.PIPE
        with subprocess.Popen([*argv, command.line()], stdin=pipe, stdout=pipe) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(command.stdin)
            process.stdin.flush()  # left open: the second program ends with its operator
            assert b"\n{" in b"\n" + process.stdout.read()


def ours(verb: str, path: Path) -> float:
    with tempfile.TemporaryDirectory() as state:
        begun = time.monotonic()
        argv = [sys.executable, "-m", "orchestrator", verb, str(path), "--output", "json"]
        environment = {**os.environ, "ORCHESTRATOR_STATE": state}
        subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, check=True)
        return time.monotonic() - begun


def compare(verb: str, path: Path, commands: dict[str, list[Command]], pairs: int) -> str:
    inventory = load(path, os.environ)
    runs: list[tuple[float, float]] = []
    for number in range(pairs):
        runs.append((ours(verb, path), by_hand(inventory, commands)))
        print(f"{verb} {number + 1}: {runs[-1][0]:.2f} s, ssh {runs[-1][1]:.2f} s", file=sys.stderr)
    mine, theirs = (list(one) for one in zip(*runs, strict=True))
    ratio = statistics.median(mine) / statistics.median(theirs)
    return f"| `{verb}` | {_spread(mine)} | {_spread(theirs)} | {ratio:.2f} |"


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


def main() -> None:
    pairs, number = (int(word) for word in [*sys.argv[1:], *("7", "16")[len(sys.argv) - 1 :]])
    rows: list[tuple[str, Callable[[Inventory], dict[str, list[Command]]]]] = [("status", looks), ("check", tries)]
    print(f"| {number} hosts | seconds, median (from, to) | as many `ssh` | ratio of medians |\n|---|---|---|---|")
    with hosts(number) as path:
        for verb, commands in rows:
            print(compare(verb, path, commands(load(path, os.environ)), pairs), flush=True)


main()
