"""The benchmark against a cluster that serves: what counts, what is kept, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator
from tests.timing import LIMIT, Stopwatch

pytestmark = pytest.mark.scenario

Done = subprocess.CompletedProcess[str]
#: What the client is called on the head, and what runs it.
CLIENT, PROGRAM = "bench serve", " bench"


def bench(operator: Operator, results: Path, prompts: str, *words: str) -> Done:
    asked = ("--workload", "100/8", "--num-prompts", prompts, "--rate", "50", "--results", results)
    return operator.run("bench", *asked, "--output", "json", *words)


def outcomes(done: Done) -> list[str]:
    return [run["verdict"]["outcome"] for run in json.loads(done.stdout)["runs"]]


def left(hosts: Hosts) -> list[str]:
    """Processes and files of a benchmark on the head."""
    files = hosts.run("node0", "find", "/var/tmp", "-maxdepth", "3", "-name", "bench-*").split()
    return files + [args for args in hosts.processes("node0").values() if CLIENT in args or args.endswith(PROGRAM)]


@contextmanager
def measuring(operator: Operator, hosts: Hosts, results: Path) -> Iterator[subprocess.Popen[str]]:
    """A benchmark whose requests take half a minute, once they are under way."""
    hosts.behave(token_seconds=0.5)
    words = ("--workload", "100/60", "--num-prompts", "2", "--results", results, "--output", "json")
    with operator.start("bench", *words) as process:
        try:
            wait_for("the requests are under way", lambda: running(hosts) == 2)
            yield process
        finally:
            process.kill()
            process.wait(LIMIT)


def running(hosts: Hosts) -> int:
    """Requests that the server is at; none where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{hosts.address('node0')}:8000/metrics", timeout=2) as answer:
            found = re.search(r"^vllm:num_requests_running\S* (\S+)$", answer.read().decode(), re.MULTILINE)
    except OSError:
        return 0
    assert found
    return int(float(found[1]))


def test_a_benchmark_of_a_cluster_that_serves(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    operator.up(pair.inventory)
    what_counts(operator, tmp_path)
    what_is_refused(operator, tmp_path)
    assert left(pair) == []
    who_ends_it_early(pair, operator, tmp_path)
    a_server_that_dies(pair, operator, tmp_path)


def what_counts(operator: Operator, tmp_path: Path) -> None:
    cold = ("--cold", "seed", "--seed", "7")
    fresh = bench(operator, tmp_path / "fresh", "1,4", *cold)
    assert fresh.returncode == 0, fresh.stderr[-3000:]
    found: dict[str, Any] = json.loads(fresh.stdout)
    assert [(run["num_prompts"], run["counts"]["hits"]) for run in found["runs"]] == [(1, 0), (4, 0)]
    assert [run["counts"]["queries"] for run in found["runs"]] == [100, 400]
    assert [row["figures"]["completed"] for row in found["rows"]] == [1, 4]
    assert found["runs"][0]["origin"] == "node0"
    assert [len(host["gpus"]) for host in found["runs"][0]["conditions"]["hosts"]] == [2, 2]

    repeated = bench(operator, tmp_path / "repeated", "4", *cold)
    assert (repeated.returncode, outcomes(repeated)) == (5, ["invalid"])
    assert "400 of 400 tokens (100.0 %) came from the prefix cache" in repeated.stdout
    again = bench(operator, tmp_path / "repeated", "4", *cold)
    assert (again.returncode, outcomes(again)) == (0, ["invalid", "valid"])
    salted = bench(operator, tmp_path / "salted", "4", "--seed", "7")
    assert (salted.returncode, outcomes(salted)) == (0, ["valid"])


def what_is_refused(operator: Operator, tmp_path: Path) -> None:
    too_long = operator.run("bench", "--workload", "500/100", "--num-prompts", "1", "--output", "plain")
    assert too_long.returncode == 2
    assert "max_model_len is 512: 500/100 takes 600 tokens a request" in too_long.stderr

    with small_disk(tmp_path / "small") as disk:
        full = bench(operator, disk / "results", "1,4")
        assert full.returncode == 5
        assert "No space left on device" in full.stdout
        assert [path.name for path in disk.glob("results/*-*")] == ["100x8-0001-1"]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Room for one run, not for two."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def who_ends_it_early(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    with measuring(operator, pair, tmp_path / "interrupted") as process:
        with Stopwatch() as watch:
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT) == 130
        assert watch.seconds < 20
    assert left(pair) == []
    wait_for("the server has forgotten its requests", lambda: running(pair) == 0)

    with measuring(operator, pair, tmp_path / "killed") as process:
        with Stopwatch() as watch:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(LIMIT)
            wait_for("nothing of it is left", lambda: left(pair) == [])
        assert watch.seconds < 10
    wait_for("the server has forgotten its requests", lambda: running(pair) == 0)


def a_server_that_dies(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    """What was measured before is kept."""
    pair.behave()
    assert bench(operator, tmp_path / "dies", "2").returncode == 0
    pair.behave(token_seconds=0.5)
    with operator.start("bench", *_slow(tmp_path / "dies")) as process:
        wait_for("the requests are under way", lambda: running(pair) == 2)
        with Stopwatch() as watch:
            pair.kill("node0", *pair.pids("node0", "vllm serve"))
            out, _ = process.communicate(timeout=LIMIT)
        assert watch.seconds < 30
    failure = json.loads(out)
    assert process.returncode == 6
    assert (failure["kind"], failure["host"]) == ("NotReady", "node0")
    assert failure["notes"] == [f"kept so far: 2 runs; `--results {tmp_path}/dies` resumes this benchmark"]
    assert left(pair) == []

    dead = bench(operator, tmp_path / "dead", "1")
    assert dead.returncode == 6
    assert "vLLM has exited" in dead.stdout
    assert not (tmp_path / "dead").exists()


def _slow(results: Path) -> tuple[str | Path, ...]:
    words = ("--workload", "100/8", "--workload", "100/60", "--num-prompts", "2", "--rate", "50")
    return (*words, "--results", results, "--output", "json")


def test_a_layout_is_brought_up_measured_and_taken_down(pair: Hosts, operator: Operator, tmp_path: Path) -> None:
    words = ("--layouts", "2x2", "--workload", "100/8", "--num-prompts", "2", "--results", tmp_path / "layouts")
    done = operator.run("bench", "layouts", pair.inventory, *words, "--output", "json")
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    conditions = found["layouts"]["2x2"]["runs"][0]["conditions"]
    assert (conditions["tensor_parallel"], conditions["pipeline_parallel"]) == (2, 2)
    assert "TP2 × PP2" in Path(found["page"]).read_text()
    pair.assert_clean(*HOSTS)
