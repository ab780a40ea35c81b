"""`bench`: what is measured in which order, what comes out, and the exit code."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from cluster.command import Command
from orchestrator.cli import cli
from tests.cluster.bench.results import result
from tests.cluster.bench.test_bench_client import told
from tests.command_lines import command_of
from tests.orchestrator.scripted_stage import payload
from tests.orchestrator.simulated_cluster import SimulatedCluster, run, written

Captured = pytest.CaptureFixture[str]


def prompts(command: Command) -> int:
    argv = payload(command)["argv"]
    return int(argv[argv.index("--num-prompts") + 1])


def well(command: Command) -> list[str | None]:
    """The server counts what was sent."""
    number = prompts(command)
    lines = told(result(number))
    after = {"queries": 100 + 8000 * number, "prompt_tokens": 100 + 8000 * number, "finished": 1 + number}
    after |= {"generated_tokens": 5 + 1000 * number, "hits": 0}
    return [json.dumps({"after": after}) if line and "after" in line else line for line in lines]


def half(command: Command) -> list[str | None]:
    """One request of many fails."""
    return told(result(prompts(command), failed=1)) if prompts(command) > 1 else well(command)


@pytest.fixture
def simulated(tmp_path: Path) -> SimulatedCluster:
    """On which the engine runs."""
    simulated = SimulatedCluster(bench_lines=well)
    assert run(simulated, "up", written(tmp_path), "--output", "plain") == 0
    simulated.ran.clear()
    return simulated


def bench(simulated: SimulatedCluster, folder: Path, *words: str) -> int:
    return run(simulated, "bench", "--results", folder / "results", "--workload", "prompt-heavy", *words)


def document(capsys: Captured) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_words_of_it() -> None:
    _, asked = command_of(["bench", "a.yaml"])
    assert [one.name for one in asked["workloads"]] == ["prompt-heavy", "decode-heavy", "balanced"]
    assert asked["num_prompts"] == (1, 16, 32, 64, 128, 256, 512)
    assert [asked[name] for name in ("rate", "repeat", "cold", "origin", "seed")] == [10, 1, "salt", "head", None]
    words = "bench --workload 160/8 --workload balanced --workload 160/8 --num-prompts 1,4 --num-prompts 4"
    more = "--rate inf --from HERE --cold restart --seed 7 --repeat 3"
    _, asked = command_of([*words.split(), *more.split()])
    assert [one.shown for one in asked["workloads"]] == ["160/8", "balanced (1000/1000)"]
    assert asked["num_prompts"] == (1, 4)
    found = [asked[name] for name in ("rate", "repeat", "cold", "origin", "seed")]
    assert found == [math.inf, 3, "restart", "here", 7]


@pytest.mark.parametrize(
    "words",
    ["--workload heavy", "--num-prompts 0", "--num-prompts 1,x", "--rate 0", "--rate nan", "--repeat 0",
     "--seed -1", "--cold never", "--from there"],
)  # fmt: skip
def test_words_that_mean_nothing(words: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", *words.split()])
    assert caught.value.code == 2
    assert "Usage: orchestrator bench" in capsys.readouterr().err


def test_every_cell_is_measured_and_shown(simulated: SimulatedCluster, tmp_path: Path, capsys: Captured) -> None:
    capsys.readouterr()
    assert bench(simulated, tmp_path, "--num-prompts", "16,1", "--repeat", "2", "--output", "plain") == 0
    shown = capsys.readouterr()
    measured = [line for line in shown.err.splitlines() if "✓ Measure" in line]
    assert [line.split("✓ Measure ")[1].partition(":")[0] for line in measured] == [
        "prompt-heavy (8000/1000), 1 prompt",
        "prompt-heavy (8000/1000), 16 prompts",
        "prompt-heavy (8000/1000), 1 prompt, run 2",
        "prompt-heavy (8000/1000), 16 prompts, run 2",
    ]
    assert "run 4 of 4, about 10 s left in all: 0 of 16 requests" in shown.err
    _, one, sixteen, *_ = shown.out.splitlines()
    assert one.split()[:6] == ["prompt-heavy", "(8000/1000)", "1", "2", "10.00", "100.00"]
    assert sixteen.split()[2:6] == ["16", "2", "10.00", "1,600.00"]
    assert f"4 runs in {tmp_path}/results" in shown.out
    assert simulated.ran == []


def test_a_second_call_goes_on_with_what_is_missing(
    simulated: SimulatedCluster, tmp_path: Path, capsys: Captured
) -> None:
    simulated.bench_lines = half
    assert bench(simulated, tmp_path, "--num-prompts", "1,16", "--output", "plain") == 5
    shown = capsys.readouterr()
    assert "✗ prompt-heavy (8000/1000), 16 prompts: failed: 1 of 16 requests failed: ConnectionError" in shown.out
    simulated.bench_lines = well
    assert bench(simulated, tmp_path, "--num-prompts", "1,16", "--output", "json") == 0
    found = document(capsys)
    assert [(run["num_prompts"], run["attempt"], run["verdict"]["outcome"]) for run in found["runs"]] == [
        (1, 1, "valid"),
        (16, 1, "failed"),
        (16, 2, "valid"),
    ]
    assert [(row["num_prompts"], row["valid"], row["left_out"]) for row in found["rows"]] == [
        (1, 1, 0),
        (16, 1, 1),
    ]
    assert found["rows"][1]["figures"]["output_per_second"] == 1600
    assert len({run["seed"] for run in found["runs"]}) == 3


def test_a_restart_before_each_run_that_is_missing(simulated: SimulatedCluster, tmp_path: Path) -> None:
    words = ("--cold", "restart", "--output", "plain", "--num-prompts")
    assert bench(simulated, tmp_path, *words, "1") == 0
    once = ["gpu-a: stop vllm", "gpu-a: keeper vllm"]
    assert simulated.ran == once
    assert bench(simulated, tmp_path, *words, "1,16,32") == 0
    assert simulated.ran == 3 * once


def test_what_ends_it_early_says_how_it_goes_on(
    simulated: SimulatedCluster, tmp_path: Path, capsys: Captured
) -> None:
    simulated.bench_lines = lambda command: well(command) if prompts(command) == 1 else told(result(16, failed=16))
    assert bench(simulated, tmp_path, "--num-prompts", "1,16,32", "--output", "plain") == 5
    said = capsys.readouterr().err
    assert "✗ gpu-a: could not measure" in said
    assert f"kept so far: 2 runs; `--results {tmp_path}/results` resumes this benchmark" in said


def test_nothing_runs(tmp_path: Path, capsys: Captured) -> None:
    assert bench(SimulatedCluster(), tmp_path, str(written(tmp_path)), "--output", "plain") == 6
    assert "run `orchestrator up` first" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_folder_that_was_measured_in_another_way(
    simulated: SimulatedCluster, tmp_path: Path, capsys: Captured
) -> None:
    assert bench(simulated, tmp_path, "--num-prompts", "1", "--output", "plain") == 0
    assert bench(simulated, tmp_path, "--num-prompts", "1", "--output", "plain", "--rate", "5") == 2
    assert "was measured with other options: rate 10.0 then, 5.0 now" in capsys.readouterr().err


def test_a_new_folder_where_none_is_named(
    simulated: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(simulated, "bench", "--workload", "8000/1000", "--num-prompts", "1", "--output", "plain") == 0
    (folder,) = tmp_path.glob("bench-demo-*")
    assert (folder / "prompt-heavy-0001-1" / "run.json").exists()
