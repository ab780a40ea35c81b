"""What is tried in which order, and what is left out, on a rig that only takes notes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu_lab import parts, rig, rounds
from benchmarks.gpu_lab.record import Done, Record
from benchmarks.gpu_lab.variants import DEFAULT, EAGER, TUNED, Trial


class Rig(rig.Rig):
    """`fails`: names that do not come up. `notes` is everything that was asked for, sorted within a round."""

    def __init__(
        self,
        folder: Path,
        seconds: float = 600,
        fails: tuple[str, ...] = (),
        hosts: tuple[str, ...] = ("node0", "node1"),
        gpus: int = 1,
    ) -> None:
        record = Record(folder / "out", folder / "details", seconds)
        super().__init__(record, "test", Path("/place"), hosts, gpus, 0, False)
        self.__dict__["notes_"] = []
        self.__dict__.update(fails=fails, lock=threading.Lock())

    def note(self, *words: object) -> None:
        with self.__dict__["lock"]:
            self.__dict__["notes_"].append(" ".join(map(str, words)))

    @property
    def notes(self) -> list[str]:
        found: list[str] = self.__dict__["notes_"]
        return found

    @contextmanager
    def up(self) -> Iterator[bool]:
        yield True

    def write(self, trial: Trial) -> str:
        return f"/tmp/{trial.cluster}.yaml"

    def url(self, host: str) -> str:
        return f"http://{host}:8000"

    def memory(self) -> float:
        return 80.0

    def do(self, name: str, limit: float, *words: str, may_fail: bool = False) -> Done:
        self.note(*words)
        return Done(name, 0, 0.0)

    def bring_up(self, name: str, path: str, limit: float = 330.0) -> bool:
        self.note("up", name)
        return name not in self.__dict__["fails"]

    def take_down(self, name: str, *paths: str) -> None:
        self.note("down", *paths)

    def prove_free(self, name: str) -> None:
        self.note("free")

    def warm(self, name: str, path: str, host: str) -> None:
        self.note("warm", name)

    def complete(self, name: str, host: str, words: str = "") -> None:
        self.note("complete", name)

    def measure(self, name: str, path: str, trial: Trial, seed: int) -> dict[str, Any]:
        self.note("measure", name)
        return {"output_throughput": 1.0}

    def logs(self, name: str, path: str) -> None:
        self.note("logs", name)


def test_variants_are_measured_side_by_side_and_taken_down(tmp_path: Path) -> None:
    one = Rig(tmp_path)
    rounds.rounds(one, "eager", [(EAGER, DEFAULT)], seeds=(1, 2))
    names = ["eager-node0-enforce-eager", "eager-node1-default"]
    assert set(one.notes[:2]) == {f"up {name}" for name in names}
    assert {note for note in one.notes if note.startswith("measure")} == {
        f"measure {name}-{seed}" for name in names for seed in (1, 2)
    }
    assert set(one.notes[-3:-1]) == {"down /tmp/eager-node0.yaml", "down /tmp/eager-node1.yaml"}
    assert one.notes[-1] == "free"


def test_what_does_not_come_up_is_not_measured(tmp_path: Path) -> None:
    one = Rig(tmp_path, fails=("eager-node0-enforce-eager",))
    rounds.rounds(one, "eager", [(EAGER, DEFAULT)], seeds=(1,))
    assert [note for note in one.notes if note.startswith("measure")] == ["measure eager-node1-default-1"]
    assert "logs eager-node0-enforce-eager" in one.notes


def test_a_round_without_time_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = Rig(tmp_path, seconds=1)
    rounds.rounds(one, "tune", [TUNED[:2]], seeds=(1,))
    assert one.notes == ["free"]
    assert f"tune: {TUNED[0].name}, {TUNED[1].name}: no time" in capsys.readouterr().out


def test_the_orchestrators_own_comparison_of_layouts(tmp_path: Path) -> None:
    one = Rig(tmp_path, gpus=2)
    parts.layouts(one)
    words = f"--layouts 4x1,2x2 --workload 8000/1000 --num-prompts 16 --results {tmp_path}/details/layouts"
    assert one.notes == [f"bench layouts /tmp/layouts.yaml {words}", "down /tmp/layouts.yaml", "free"]


@pytest.mark.parametrize(("part", "hosts", "up"), [
    (parts.big, ("node0", "node1"), ["up big-pp1", "up big-pp2"]),
    (parts.whole, ("node0",), ["up whole-pp1"]),
    (parts.half, ("node0",), ["up half-pp1"]),
    (parts.whole_fp8, ("node0", "node1"), ["up whole-fp8-pp1", "up whole-fp8-pp2"]),
    (parts.fp8, ("node0",), ["up fp8-80g", "up fp8-80g-offload"]),
])  # fmt: skip
def test_the_424b_is_relaunched_by_the_same_cluster(
    tmp_path: Path, part: Callable[[rig.Rig], None], hosts: tuple[str, ...], up: list[str]
) -> None:
    one = Rig(tmp_path, hosts=hosts)
    part(one)
    name = part.__name__.replace("_", "-")
    assert [note for note in one.notes if note.startswith(("up", "down"))] == [*up, f"down /tmp/{name}.yaml"]
    planned = [note for note in one.notes if note.startswith("plan")]
    assert planned == [f"plan /tmp/{name}.yaml --hosts --output json"] * len(up)
    assert len([note for note in one.notes if note.startswith("measure")]) == len(up)


def test_pictures_are_tried_without_graphs_where_they_do_not_start_with_them(tmp_path: Path) -> None:
    one = Rig(tmp_path, seconds=1, fails=("vision-default",))
    parts.vision(one)
    assert [note for note in one.notes if note.startswith("up")] == [
        "up vision-default",
        "up vision-enforce-eager",
    ]
    assert one.notes[-2:] == ["down /tmp/vision.yaml", "free"]


def test_a_pair_that_does_not_come_up_is_still_taken_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_look", lambda *_: None)
    one = Rig(tmp_path, fails=("pair",))
    parts.pair(one)
    assert one.notes == ["up pair", "logs pair", "down /tmp/pair.yaml", "free"]
