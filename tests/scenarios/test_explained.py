"""Starts that fail or hang: which rank on which host, within seconds, and a bundle without secrets."""

from __future__ import annotations

import json
import subprocess
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.running import Running, running
from tests.timing import LIMIT, Stopwatch

pytestmark = pytest.mark.scenario

Done = subprocess.CompletedProcess[str]

#: Seconds from the death of an engine or a rank to its explanation.
_SOON = 5.0

KEY, TOKEN, DUMPED = "planted-api-key", "planted-hf-token", "planted-in-a-dump"


def failure(run: Running) -> dict[str, Any]:
    """The error of the phase that failed, when everything is over."""
    assert run.finish() == 6
    found: dict[str, Any] = next(one for one in run.said if one["event"] == "phase_failed")
    return found


def contents(done: dict[str, Any]) -> dict[str, str]:
    """Returns the contents of the bundle that a failure names."""
    (note,) = [note for note in done["notes"] if "evidence from every host" in note]
    return unpacked(Path(note.rpartition(" is in ")[2]))


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        files = {name.partition("/")[2]: archive.extractfile(name) for name in archive.getnames()}
        return {name: file.read().decode() for name, file in files.items() if file}


def secretive(pair: Hosts, folder: Path) -> Path:
    """An inventory whose secrets are planted; another one lies in what vLLM says."""
    (folder / "key").write_text(KEY)

    def change(one: dict[str, Any]) -> None:
        one["serve"]["api_key"] = {"file": str(folder / "key")}
        one["environment"]["HF_TOKEN"] = TOKEN

    pair.behave(behaviour="crash", says=f"env: {{'GITHUB_TOKEN': '{DUMPED}', 'HF_TOKEN': '{TOKEN}'}} {KEY}")
    return pair.edited(folder / "secretive.yaml", change)


def last_word(hosts: Hosts) -> float:
    """When the engine wrote its last line, in seconds since the epoch: hosts have this machine's clock."""
    (log,) = hosts.run("node0", "find", "/var/tmp", "-path", "*/vllm/log").split()
    return float(hosts.run("node0", "stat", "--format=%.3Y", log))


def test_a_crash_is_explained_within_seconds_and_leaves_a_bundle_without_secrets(
    pair: Hosts, operator: Operator, tmp_path: Path
) -> None:
    with Stopwatch() as watch:
        done = operator.run("up", secretive(pair, tmp_path), "--output", "json")
    assert done.returncode == 6, done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.splitlines()
    (failed,) = operator.events(done, "phase_failed")
    told = failed["error"]
    assert (told["host"], "the model does not fit" in told["cause"], bool(told["cure"])) == ("node0", True, True)
    assert (datetime.fromisoformat(failed["time"]).timestamp() - last_word(pair)) * watch.share < _SOON, told
    error = json.loads(done.stdout)
    ray_token = pair.run("node0", "sh", "-c", "cat /var/tmp/o-0/*/ray.token")
    assert len(ray_token) > 20

    found = contents(error)
    assert {"failure.txt", "inventory.yaml", "node0/vllm/log", "node0/vllm/record.json"} <= set(found)
    for host in HOSTS:
        assert {f"{host}/{name}" for name in ("facts.json", "ray/log", "processes.json", "gpus.json")} <= set(
            found
        )
        assert any(name.startswith(f"{host}/ray/session_latest/logs/raylet") for name in found)
    assert any(name.startswith("journal/") for name in found)
    assert "GITHUB_TOKEN" in found["node0/vllm/log"]
    everything = "\n".join(found.values())
    for secret in (KEY, TOKEN, DUMPED, ray_token):
        assert secret not in everything
    pair.assert_idle(*HOSTS)


def test_a_rank_killed_on_the_other_host_is_named_within_five_seconds(pair: Hosts, operator: Operator) -> None:
    pair.behave(load_seconds=8)
    with running(operator, "up", pair.inventory) as run:
        run.until_phase("Wait until the engine is ready")
        (victim, *_) = pair.pids("node1", "ray::RayWorkerProc")
        pair.run("node1", "kill", "-9", str(victim))
        killed = float(pair.run("node1", "date", "+%s.%N"))
        with Stopwatch() as watch:
            failed = failure(run)
    error = failed["error"]
    assert (datetime.fromisoformat(failed["time"]).timestamp() - killed) * watch.share < _SOON
    assert error["host"] == "node1"
    assert error["cause"].startswith("rank ")
    assert "its process exited without an error message" in error["cause"]
    pair.assert_idle(*HOSTS)


def test_a_start_that_hangs_tells_what_every_rank_is_at(pair: Hosts, operator: Operator) -> None:
    pair.behave(behaviour="hang")
    with running(operator, "up", pair.inventory, ORCHESTRATOR_PATIENCE_LOAD="6") as run:
        run.until_phase("Wait until the engine is ready")
        (victim, *_) = pair.pids("node1", "ray::RayWorkerProc")
        pair.run("node1", "kill", "-STOP", str(victim))
        error = failure(run)["error"]
    assert error["host"] == "node1"
    assert "on node1 is stopped, and the others wait for it" in error["cause"]
    assert str(victim) in error["cure"]
    assert {line.partition(":")[0] for line in error["last"].splitlines()[1:]} == set(HOSTS)
    pair.assert_idle(*HOSTS)


def test_diagnose_and_a_watched_status_of_hosts_on_which_nothing_runs(
    untouched: Hosts, operator: Operator, tmp_path: Path
) -> None:
    made = operator.run("diagnose", untouched.inventory, "--to", tmp_path / "all.tar.gz")
    assert made.returncode == 0, made.stderr
    found = unpacked(tmp_path / "all.tar.gz")
    assert {f"{host}/facts.json" for host in HOSTS} <= set(found)
    assert "NVIDIA" in found["node1/nvidia-smi-q.txt"]
    with operator.start("status", untouched.inventory, "--watch", "--output", "json") as watching:
        assert watching.stdout
        first = json.loads(watching.stdout.readline())
        watching.send_signal(2)
        assert watching.wait(LIMIT) == 0
    assert [host["ray"] for host in first["hosts"]] == ["absent", "absent"]
