"""The table of contents, and whole runs along it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from cluster.values import Presence
from orchestrator.local.settings import Settings
from orchestrator.plans import UpOptions, down, up
from tests.orchestrator import simulated_cluster
from tests.orchestrator.scripted_stage import status_answer
from tests.orchestrator.simulated_cluster import SimulatedCluster, run, written

LAUNCHES = ["gpu-a: keeper ray", "gpu-b: keeper ray", "gpu-a: keeper vllm"]
STOPS = ["gpu-a: stop vllm", "gpu-b: stop ray", "gpu-a: stop ray"]


def test_the_order_is_the_table_of_contents() -> None:
    assert [phase.title for phase in up(UpOptions())] == [
        "Check the hosts",
        "Take the lease",
        "Clean removed hosts",
        "Stop what is outdated",
        "Start Ray on the head",
        "Start Ray on the workers",
        "Prove the GPUs through Ray",
        "Launch vLLM",
        "Learn the transport",
        "Wait until the engine is ready",
        "Prove it with a token",
    ]
    assert [phase.title for phase in down()] == [
        "Take the lease",
        "Stop vLLM",
        "Stop Ray",
        "Clean removed hosts",
        "Prove that everything is free",
    ]


def test_every_phase_that_starts_something_can_take_it_back() -> None:
    undoable = [phase.title for phase in up(UpOptions()) if "undo" in vars(type(phase))]
    assert undoable == [phase.title for phase in up(UpOptions()) if phase.starts]
    assert not [phase for phase in down() if phase.starts]


def test_up_announces_and_up_again_only_proves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", path, "--output", "json") == 0
    assert simulated.ran == LAUNCHES
    announced = json.loads(capsys.readouterr().out)
    assert (announced["tensor_parallel"], announced["kv_cache_tokens"], announced["token"]) == (2, 640, " Paris")
    assert announced["proved_from"] == "gpu-a"
    assert run(simulated, "up", path, "--output", "json") == 0
    assert simulated.ran == LAUNCHES
    phases = [one["title"] for one in json.loads(capsys.readouterr().out)["phases"]]
    assert phases[-2:] == ["Wait until the engine is ready", "Prove it with a token"]
    assert not any("Start" in title or "Launch" in title for title in phases)


def test_an_engine_that_dies_is_explained_before_all_is_taken_back_and_in_full_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.00 GiB."
    simulated = SimulatedCluster(engine=status_answer(log, Presence.DEAD, status=1))
    assert run(simulated, "up", written(tmp_path), "--output", "plain") == 6
    assert simulated.ran == [*LAUNCHES, *STOPS]
    output = capsys.readouterr()
    assert output.out == ""
    before, taken_back, after = output.err.partition("rolling back (press Ctrl-C twice")
    assert taken_back
    at_once = next(line for line in before.splitlines() if "Wait until the engine is ready: failed after" in line)
    for told in (at_once, after):
        assert told.count("gpu-a: the engine did not become available") == 1
        assert told.count("the model does not fit into the memory of the GPUs") == 1


def test_a_run_that_fails_leaves_a_bundle_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(SimulatedCluster(engine=status_answer("", Presence.DEAD)), "up", written(tmp_path), "--output", "json")
        == 6
    )
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    path = Path(note.removeprefix("evidence from every host is in "))
    assert path.name.endswith("-up.tar.gz")
    with tarfile.open(path) as bundle:
        names = {name.partition("/")[2] for name in bundle.getnames()}
    assert {"failure.txt", "inventory.yaml", "gpu-a/facts.json", "gpu-b/facts.json"} <= names


def test_a_failed_up_that_left_nothing_does_not_bind_the_name(tmp_path: Path) -> None:
    """The same hosts by other addresses, say of another network, are no other cluster."""
    path = written(tmp_path)
    assert run(SimulatedCluster(engine=status_answer("", Presence.DEAD)), "up", path, "--output", "plain") == 6
    again = tmp_path / "again.yaml"
    again.write_text(path.read_text().replace("address: 10.0.0.", "address: 10.9.0."))
    assert run(SimulatedCluster(), "up", again, "--output", "plain") == 0


@pytest.mark.parametrize("left", ["broken", "before", "kept"])
def test_a_failed_up_that_may_have_left_something_is_remembered(tmp_path: Path, left: str) -> None:
    path, broken = written(tmp_path), frozenset({"stop ray"} if left == "broken" else ())
    simulated = SimulatedCluster(engine=status_answer("", Presence.DEAD), broken=broken)
    if left == "before":
        assert run(SimulatedCluster(units=simulated.units), "up", path, "--output", "plain") == 0
    assert run(simulated, "up", path, "--output", "plain", *(["--keep"] if left == "kept" else [])) == 6
    again = tmp_path / "again.yaml"
    again.write_text(path.read_text().replace("address: 10.0.0.", "address: 10.9.0."))
    assert run(SimulatedCluster(), "up", again, "--output", "plain") == 2


def test_a_failed_undo_names_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated = SimulatedCluster(engine=status_answer("", Presence.DEAD), broken=frozenset({"stop ray"}))
    path = written(tmp_path)
    assert run(simulated, "up", path, "--output", "plain") == 6
    output = capsys.readouterr().err
    assert "could not be rolled back: Start Ray on the workers\n" in output
    assert "gpu-b: ray could not be stopped: no route (see its cable)" in output
    assert f"this run left something behind: `orchestrator down {path}` removes it" in output


def test_keep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated, path = SimulatedCluster(engine=status_answer("", Presence.DEAD)), written(tmp_path)
    assert run(simulated, "up", path, "--keep", "--output", "plain") == 6
    assert simulated.ran == LAUNCHES
    left = f"everything was left running for inspection (--keep): `orchestrator down {path}` removes it"
    assert capsys.readouterr().err.count(left) == 1


def test_down_without_an_inventory_takes_the_last_one_and_then_forgets_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated = SimulatedCluster()
    assert run(simulated, "up", written(tmp_path), "--output", "plain") == 0
    assert run(simulated, "down", "--output", "plain") == 0
    assert simulated.ran == [*LAUNCHES, *STOPS]
    assert capsys.readouterr().out.endswith("demo is down: nothing is left on gpu-a, gpu-b\n")
    assert run(simulated, "down", "--output", "plain") == 2


def test_an_up_that_is_refused_the_lease_changes_nothing_of_what_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be another inventory: a host that it does not name would be forgotten by a `down` without one."""
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", path, "--output", "plain") == 0
    later = tmp_path / "later.yaml"
    later.write_text(path.read_text() + "# another\n")
    theirs = {"owner": "bob", "machine": "desk", "since": "2026-11-22T09:00:00+00:00", "reason": "up demo"}
    with monkeypatch.context() as patched:
        patched.setitem(simulated_cluster._CHANNELS, "lease", json.dumps({"held": theirs}))
        assert run(simulated, "up", later, "--output", "plain") == 8
    (kept,) = Settings().state.rglob("inventory.yaml")
    assert kept.read_text() == path.read_text()
    assert run(simulated, "up", later, "--output", "plain") == 0
    assert kept.read_text() == later.read_text()


def test_a_down_that_proved_too_little_is_not_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PATIENCE_FREE", "0.01")
    simulated = SimulatedCluster()
    assert run(simulated, "up", written(tmp_path), "--output", "plain") == 0
    simulated.broken = frozenset({"stop ray"})
    assert run(simulated, "down", "--output", "plain") == 7
    assert "gpu-b: pid 7 of ray" in capsys.readouterr().err
    simulated.broken = frozenset()
    assert run(simulated, "down", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["free"] is True


THREE = [*LAUNCHES, "gpu-c: keeper ray"]


def with_a_third(path: Path) -> Path:
    """The same cluster with a host more."""
    third = "  - {name: gpu-c, address: 10.0.0.3, cluster_address: 192.168.0.3, role: worker}\nmodel:"
    text = path.read_text().replace("model:", third, 1)
    grown = path.with_name("grown.yaml")
    grown.write_text(text.replace("tensor_parallel_size: 2", "tensor_parallel_size: 3"))
    return grown


@pytest.fixture
def three_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [{"uuid": uuid, "memory_mib": 81559, "cuda": "ok"} for uuid in ("a", "b", "c")]
    monkeypatch.setitem(simulated_cluster._CHANNELS, "verify_gpus", json.dumps({"proved": cards}))


@pytest.fixture
def shrunk(tmp_path: Path, three_cards: None) -> tuple[SimulatedCluster, Path]:
    """A cluster of three, and the inventory from which one has left."""
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", with_a_third(path), "--output", "plain") == 0
    assert sorted(simulated.ran) == sorted(THREE)
    simulated.ran.clear()
    return simulated, path


def test_a_host_that_joins_the_inventory_leaves_the_ray_of_the_others(tmp_path: Path, three_cards: None) -> None:
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", path, "--output", "plain") == 0
    simulated.ran.clear()
    assert run(simulated, "up", with_a_third(path), "--output", "plain") == 0
    assert simulated.ran == ["gpu-a: stop vllm", "gpu-c: keeper ray", "gpu-a: keeper vllm"]


def test_a_host_that_left_the_inventory_is_cleaned_once(shrunk: tuple[SimulatedCluster, Path]) -> None:
    simulated, path = shrunk
    for ran in (["gpu-c: stop ray", "gpu-a: stop vllm", "gpu-a: keeper vllm"], []):
        assert run(simulated, "up", path, "--output", "plain") == 0
        assert simulated.ran == ran
        simulated.ran.clear()


def test_a_host_that_left_and_is_lost_is_told_until_it_is_clean(
    shrunk: tuple[SimulatedCluster, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray may still have it, so Ray begins anew; a cluster that then runs as wanted is left in peace."""
    simulated, path = shrunk
    simulated.lost = frozenset({"gpu-c"})
    anew = ["gpu-a: stop vllm", "gpu-b: stop ray", "gpu-a: stop ray", *LAUNCHES]
    for ran in (anew, []):
        assert run(simulated, "up", path, "--output", "plain") == 0
        assert simulated.ran == ran
        assert (
            "gpu-c: warning: it was removed from the inventory, and could not be inspected"
            in capsys.readouterr().err
        )
        simulated.ran.clear()
    assert run(simulated, "down", "--output", "json") == 7
    (left,) = json.loads(capsys.readouterr().out)["leftovers"]
    assert (left["host"], left["provable"]) == ("gpu-c", False)
    assert simulated.ran == STOPS
    simulated.ran.clear()
    simulated.lost = frozenset()
    assert run(simulated, "down", "--output", "plain") == 0
    assert simulated.ran == ["gpu-c: stop ray"]
    assert not any(Settings().state.rglob("*.json"))


def test_a_down_with_the_new_inventory_cleans_a_host_that_left_it(shrunk: tuple[SimulatedCluster, Path]) -> None:
    simulated, path = shrunk
    assert run(simulated, "down", path, "--output", "plain") == 0
    assert simulated.ran == [*STOPS, "gpu-c: stop ray"]


@pytest.mark.parametrize(
    ("word", "ran"),
    [
        ("--restart", ["gpu-a: stop vllm", "gpu-a: keeper vllm"]),
        ("--recreate", ["gpu-a: stop vllm", "gpu-b: stop ray", "gpu-a: stop ray", *LAUNCHES]),
    ],
)
def test_anew_on_purpose(tmp_path: Path, word: str, ran: list[str]) -> None:
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", path, "--output", "plain") == 0
    simulated.ran.clear()
    assert run(simulated, "up", path, word, "--output", "plain") == 0
    assert simulated.ran == ran


def test_another_cluster_by_the_same_name_takes_nothing_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody has copied an inventory for other hosts and forgotten its first line."""
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", path, "--output", "plain") == 0
    simulated.ran.clear()
    copy = tmp_path / "copy.yaml"
    copy.write_text(path.read_text().replace("10.0.0.", "10.9.0.").replace("gpu-", "test-"))
    for verb in ("up", "down"):
        assert run(simulated, verb, copy, "--output", "plain") == 2
        output = capsys.readouterr().err
        assert "demo is in use from here on other hosts: gpu-a (10.0.0.1), gpu-b (10.0.0.2)" in output
        assert "`orchestrator down --cluster demo` removes that cluster" in output
    assert simulated.ran == []
    assert run(simulated, "down", "--cluster", "demo", "--output", "plain") == 0
    assert simulated.ran == STOPS
    assert run(simulated, "up", copy, "--output", "plain") == 0


def test_another_machines_engine_is_stopped_with_a_yes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One's own change from the same machine goes on as before, and after a refusal the answer is the same."""
    simulated, path = SimulatedCluster(), written(tmp_path)
    assert run(simulated, "up", path, "--output", "plain") == 0
    path.write_text(path.read_text().replace("host: 127.0.0.1", "host: 127.0.0.1, arguments: [--seed=2]"))
    assert run(simulated, "up", path, "--output", "plain") == 0
    before = list(simulated.ran)
    path.write_text(path.read_text().replace("--seed=2", "--seed=3"))
    monkeypatch.setenv("ORCHESTRATOR_STATE", str(tmp_path / "of another"))
    capsys.readouterr()
    for _ in range(2):
        assert run(simulated, "up", path, "--output", "json") == 8
        error = json.loads(capsys.readouterr().out)
        assert (error["kind"], "--seed=2 there, --seed=3 here" in error["cause"]) == ("InUse", True)
    assert simulated.ran == before
    assert run(simulated, "up", path, "--output", "plain", "--yes") == 0
    assert simulated.ran == [*before, "gpu-a: stop vllm", "gpu-a: keeper vllm"]
