"""What a cold `up` costs over the bare minimum: the orchestrator against a shell script, alternating in one run.

Both bring up the scripted engine with real Ray on two sandbox hosts until a token comes. Each run has new hosts,
so that it finds nothing of the other. Prints a Markdown table. Usage: bench_up.py [PAIRS]"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent


@contextmanager
def fresh_hosts() -> Iterator[Path]:
    """Makes two new hosts, and yields the inventory's path."""
    sandbox = [sys.executable, "-m", "sandbox"]
    shape = ["--hosts", "2", "--gpus", "1", "--engine", "scripted", "--name", "bench", "--owner", str(os.getpid())]
    done = subprocess.run([*sandbox, "up", *shape], cwd=ROOT, capture_output=True, text=True, check=True)
    try:
        yield Path(done.stdout.splitlines()[-1])
    finally:
        subprocess.run([*sandbox, "down", "--name", "bench"], cwd=ROOT, capture_output=True, check=True)


def orchestrator(inventory: Path, phases: dict[str, list[float]]) -> float:
    with tempfile.TemporaryDirectory() as state:
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", "up", str(inventory), "--output", "json"],
            cwd=ROOT, env={**os.environ, "ORCHESTRATOR_STATE": state}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        took = time.monotonic() - begun
    for line in done.stderr.splitlines():
        event = json.loads(line)
        if event["event"] == "phase_done":
            phases[event["title"]].append(event["seconds"])
    return took


def by_hand(inventory: Path) -> float:
    written: dict[str, Any] = yaml.safe_load(inventory.read_text())
    head, worker = written["hosts"]
    key = written["defaults"]["identity_file"]
    addresses = [head["address"], head["cluster_address"], worker["address"], worker["cluster_address"]]
    model, serve = written["model"], written["serve"]
    words = [model["id"], "--served-model-name", model["served_name"], "--tensor-parallel-size", "2"]
    argv = [HERE / "up_by_hand", inventory.parent / "known_hosts", key, *addresses, sys.prefix, "1"]
    begun = time.monotonic()
    subprocess.run([*map(str, argv), *words, *serve["arguments"]], capture_output=True, check=True, timeout=300)
    return time.monotonic() - begun


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    phases: dict[str, list[float]] = defaultdict(list)
    ours, theirs = [], []
    for pair in range(pairs):
        with fresh_hosts() as inventory:
            ours.append(orchestrator(inventory, phases))
        with fresh_hosts() as inventory:
            theirs.append(by_hand(inventory))
        print(f"pair {pair + 1}: up {ours[-1]:.1f} s, by hand {theirs[-1]:.1f} s", file=sys.stderr)
    show(ours, theirs, phases)


def show(ours: list[float], theirs: list[float], phases: dict[str, list[float]]) -> None:
    both = statistics.median(ours), statistics.median(theirs)
    print("| | median s | from | to |\n|---|---|---|---|")
    for name, times, median in (("`up`", ours, both[0]), ("by hand", theirs, both[1])):
        print(f"| {name} | {median:.1f} | {min(times):.1f} | {max(times):.1f} |")
    print(f"| ratio of medians | {both[0] / both[1]:.2f} | | |\n")
    print("| phase of `up` | median s |\n|---|---|")
    for title, seconds in phases.items():
        print(f"| {title} | {statistics.median(seconds):.1f} |")


main()
