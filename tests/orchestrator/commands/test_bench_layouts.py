"""`bench layouts`: each up, measured and down, whatever becomes of another."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from cluster.command import Command
from orchestrator.cli import cli
from tests.cluster.bench.results import result
from tests.cluster.bench.test_bench_client import told
from tests.command_lines import command_of
from tests.orchestrator.commands.test_bench import well
from tests.orchestrator.simulated_cluster import SimulatedCluster, run, written

Captured = pytest.CaptureFixture[str]
#: What one layout does on the two hosts.
UP = ["gpu-a: keeper ray", "gpu-b: keeper ray", "gpu-a: keeper vllm"]
_OF_THE_28B = "model: {id: baidu/ERNIE-4.5-VL-28B-A3B-PT, served_name: ernie}\n"
DOWN = ["gpu-a: stop vllm", "gpu-b: stop ray", "gpu-a: stop ray"]


def layouts(simulated: SimulatedCluster, folder: Path, *words: str) -> int:
    asked = ["--layouts", "2x1,1x2", "--workload", "8000/1000", "--num-prompts", "1", "--output", "plain"]
    return run(simulated, "bench", "layouts", written(folder), "--results", folder / "results", *asked, *words)


def engines(simulated: SimulatedCluster) -> list[Sequence[str]]:
    return [one for one in simulated.launched if "serve" in one]


def test_the_words_of_it() -> None:
    _, asked = command_of(["bench", "layouts", "a.yaml", "--layouts", "16x1,8x2", "--layouts", "8x2"])
    assert asked["layouts"] == ((16, 1), (8, 2))


@pytest.mark.parametrize("words", ["", "--layouts 16", "--layouts 0x16", "--layouts 16x1,", "--layouts a"])
def test_words_that_mean_nothing(words: str) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", "layouts", "a.yaml", *words.split()])
    assert caught.value.code == 2


def test_each_is_brought_up_measured_and_taken_down(tmp_path: Path, capsys: Captured) -> None:
    simulated = SimulatedCluster(bench_lines=well)
    assert layouts(simulated, tmp_path) == 0
    assert sorted(simulated.ran) == sorted(2 * (UP + DOWN))
    assert [one.split(": ")[1] for one in simulated.ran[2::6]] == ["keeper vllm"] * 2
    sizes = [
        (argv[argv.index("--tensor-parallel-size") + 1], argv[argv.index("--pipeline-parallel-size") + 1])
        for argv in engines(simulated)
    ]
    assert sizes == [("2", "1"), ("1", "2")]
    shown = capsys.readouterr()
    assert shown.out.startswith("2x1\nWORKLOAD")
    assert shown.out.endswith(f"{tmp_path}/results/report.html\n")
    page = (tmp_path / "results" / "report.html").read_text()
    assert "TP2 × PP1" in page
    assert "TP1 × PP2" in page
    runs = [json.loads(path.read_text()) for path in sorted(tmp_path.rglob("run.json"))]
    assert [(one["conditions"]["tensor_parallel"], one["verdict"]["outcome"]) for one in runs] == [
        (1, "valid"),
        (2, "valid"),
    ]
    assert len({one["seed"] for one in runs}) == 1


def test_what_is_measured_already_is_not_brought_up(tmp_path: Path, capsys: Captured) -> None:
    simulated = SimulatedCluster(bench_lines=well)
    assert layouts(simulated, tmp_path) == 0
    simulated.ran.clear()
    assert layouts(simulated, tmp_path) == 0
    assert simulated.ran == []
    assert "2x1 is already measured" in capsys.readouterr().err


def test_a_layout_that_fails_leaves_the_others(tmp_path: Path, capsys: Captured) -> None:
    simulated = SimulatedCluster()

    def first_fails(command: Command) -> list[str | None]:
        # The first engine answers nothing.
        return well(command) if len(engines(simulated)) > 1 else told(result(1, failed=1))

    simulated.bench_lines = first_fails
    assert layouts(simulated, tmp_path) == 5
    shown = capsys.readouterr()
    assert "✗ gpu-a: could not measure" in shown.err
    assert "1x2\nWORKLOAD" in shown.out
    assert simulated.units == {}
    assert simulated.ran.count("gpu-a: keeper vllm") == 2


def test_a_cluster_in_use_is_left_alone(tmp_path: Path, capsys: Captured) -> None:
    simulated = SimulatedCluster(bench_lines=well)
    assert run(simulated, "up", written(tmp_path), "--output", "plain") == 0
    simulated.ran.clear()
    assert layouts(simulated, tmp_path) == 2
    assert simulated.ran == []
    said = capsys.readouterr().err
    assert "demo is in use\n  cause  there is ray on gpu-a, vllm on gpu-a, ray on gpu-b" in said
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [("4x1", "its hosts declare 2 GPUs, but 4x1 needs 4"), ("2x1,1x1", "but 1x1 needs 1")],
)
def test_no_layout_of_these_hosts(tmp_path: Path, capsys: Captured, words: str, said: str) -> None:
    simulated = SimulatedCluster()
    assert run(simulated, "bench", "layouts", written(tmp_path), "--layouts", words, "--output", "plain") == 2
    assert said in capsys.readouterr().err
    assert simulated.ran == []


def test_the_hosts_cannot_be_reached(tmp_path: Path) -> None:
    simulated = SimulatedCluster(bench_lines=well, broken=frozenset({"facts"}))
    assert layouts(simulated, tmp_path) == 4
    assert simulated.ran == []
    assert not (tmp_path / "results").exists()


def test_a_layout_that_this_model_cannot_have(tmp_path: Path, capsys: Captured) -> None:
    """The 28B ties its embeddings: vLLM would load for minutes before it said so."""
    simulated, path = SimulatedCluster(bench_lines=well), written(tmp_path)
    path.write_text(re.sub(r"(?m)^model:.*\n(  .*\n)*", _OF_THE_28B, path.read_text()))
    assert run(simulated, "bench", "layouts", path, "--layouts", "2x1,1x2", "--output", "plain") == 2
    said = capsys.readouterr().err
    assert "1x2: " in said
    assert "next   use another tensor_parallel_size or pipeline_parallel_size" in said
    assert simulated.ran == []
