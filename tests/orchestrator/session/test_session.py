"""One command on one cluster: who hears of it, and what is closed when it is over."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path

import pytest

from cluster.errors import InventoryError, UsageError
from orchestrator.events import HostMessage, RunStarted
from orchestrator.local.settings import Output, Settings
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import session
from tests.orchestrator.simulated_cluster import SimulatedCluster, written

SAID = HostMessage("gpu-a", "ready")


@pytest.fixture(autouse=True)
def simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.session.session.connected", SimulatedCluster().fleet)


def up(state: Path, path: Path | None, output: Output = "plain", cluster: str | None = None) -> Invocation:
    return Invocation("up", path, cluster, Settings(state=state, output=output))


def journal(state: Path) -> list[str]:
    return [json.loads(line)["event"] for file in state.rglob("*.jsonl") for line in file.read_text().splitlines()]


def test_everybody_hears_of_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with session(up(tmp_path, written(tmp_path))) as one:
        one.sink(SAID)
    assert one.events == [RunStarted("up", "demo", ("gpu-a", "gpu-b")), SAID]
    assert journal(tmp_path) == ["run_started", "host_said"]
    assert [line[9:] for line in capsys.readouterr().err.splitlines()] == [
        "up demo on 2 hosts: gpu-a, gpu-b",
        "· gpu-a: ready",
    ]


def test_the_journal_is_named_after_the_run_and_lies_with_its_cluster(tmp_path: Path) -> None:
    with session(up(tmp_path, written(tmp_path))):
        pass
    (path,) = tmp_path.rglob("*.jsonl")
    assert path.parent == tmp_path / "demo"
    assert path.name.endswith("-up.jsonl")


def test_a_machine_without_a_journal_says_so_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with session(up(Path("/dev/null"), path := written(tmp_path))) as one:
        one.local_state.remember(path)()
        one.sink(SAID)
    said = capsys.readouterr().err
    assert said.count("this run has no journal") == 1
    assert said.count("failed to save the inventory here; `down` will need the inventory file") == 1
    assert "gpu-a: ready" in said


def test_unwatched_there_is_neither_screen_nor_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with session(up(tmp_path, written(tmp_path)), journaled=False) as one:
        one.sink(SAID)
    assert one.events[-1] == SAID
    assert journal(tmp_path) == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("output", "terminal", "term", "first"),
    [
        ("plain", True, "xterm", "   0:00  up demo"),
        ("json", True, "xterm", '{"event": "run_started"'),
        ("auto", False, "xterm", "   0:00  up demo"),
        ("auto", True, "dumb", "   0:00  up demo"),
        ("auto", True, "xterm", "\x1b[?1049h"),
        ("live", True, "xterm", "\x1b[?1049h"),
        ("live", False, "xterm", "   0:00  up demo"),
        ("live", True, "dumb", "   0:00  up demo"),
    ],
)
def test_which_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: Output, terminal: bool, term: str, first: str
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", term)
    with session(up(tmp_path, written(tmp_path), output)):
        pass
    assert stream.getvalue().startswith(first)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that were hung up on."""
    names: list[str] = []
    monkeypatch.setattr(
        "tests.orchestrator.simulated_cluster.SimulatedTransport.close", lambda host: names.append(host.spec.name)
    )
    return names


def test_every_connection_is_closed_and_signals_are_given_back(tmp_path: Path, closed: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with session(up(tmp_path, written(tmp_path))):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert sorted(closed) == ["gpu-a", "gpu-b"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_leaves_at_once_waits_for_no_good_bye(tmp_path: Path, closed: list[str]) -> None:
    with session(up(tmp_path, written(tmp_path))) as one:
        one.interrupts.leaving = True
    assert closed == []


@pytest.mark.parametrize(
    ("path", "cluster", "cleaning"),
    [
        ("my inventory.yaml", None, "orchestrator down 'my inventory.yaml'"),
        (None, "demo", "orchestrator down --cluster demo"),
    ],
)
def test_how_to_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None, cluster: str | None, cleaning: str
) -> None:
    monkeypatch.chdir(tmp_path)
    state = tmp_path / "state"
    written(tmp_path).rename("my inventory.yaml")
    with session(up(state, Path("my inventory.yaml")), journaled=False) as one:
        one.local_state.remember(Path("my inventory.yaml"))()
    with session(up(state, Path(path) if path else None, cluster=cluster), journaled=False) as one:
        assert one.cleaning == cleaning


def test_the_hosts_that_were_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path)

    def chosen(*hosts: str) -> tuple[str, ...]:
        with session(up(tmp_path, path), journaled=False) as one:
            return one.chosen(hosts).names

    assert chosen() == chosen("gpu-b", "gpu-a", "gpu-b") == ("gpu-a", "gpu-b")
    assert chosen("gpu-b") == ("gpu-b",)
    with pytest.raises(UsageError, match="demo has no host gpu-c, gpu-d") as refused:
        chosen("gpu-a", "gpu-c", "gpu-d")
    assert refused.value.cure == "its hosts are gpu-a, gpu-b"


def test_what_cannot_be_used_is_refused_before_any_host_is_touched(tmp_path: Path) -> None:
    with pytest.raises(InventoryError), session(up(tmp_path, tmp_path / "missing.yaml")):
        pass
    with (
        pytest.raises(UsageError, match="--cluster"),
        session(up(tmp_path, written(tmp_path), cluster="demo")),
    ):
        pass
