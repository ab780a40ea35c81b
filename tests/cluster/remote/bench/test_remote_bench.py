"""The program that runs the benchmark client: what it says, and that nothing of it is left."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.bench import client
from cluster.bench.client import Heard
from cluster.command import Command
from cluster.errors import CommandFailed, Unreachable
from cluster.remote.common.processes import processes
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from tests.cluster.http_server import Served, serving
from tests.cluster.recorded import recorded
from tests.cluster.remote.local import VENV
from tests.timing import eventually

#: Writes its result, says where it is and who it is, and has a child that leaves its session.
CLIENT = """
import json, os, subprocess, sys, time
child = subprocess.Popen(["setsid", "-f", "sleep", "600"])
print("pid", os.getpid(), os.environ["OPENAI_API_KEY"], os.environ["no_proxy"], flush=True)
open("vllm.json", "w").write(json.dumps({"a": "b" * 1_000_000}))
time.sleep(float(sys.argv[1]))
sys.exit(int(sys.argv[2]))
"""
METRICS = recorded("vllm/metrics.txt")


@pytest.fixture
def vllm() -> Iterator[Served]:
    with serving({"/metrics": (200, METRICS)}) as server:
        yield server


def command(state: Path, url: str, seconds: float = 0.0, status: int = 0) -> Command:
    argv = (sys.executable, "-c", CLIENT, str(seconds), str(status))
    return client.command(argv, {"OPENAI_API_KEY": "sk-1"}, state=str(state), metrics=url, venv=VENV)


def sooner(one: Command, **data: float) -> Command:
    """The same with other data: nobody wants to wait a second for a sample."""
    *source, payload, end = one.stdin.split(b"\n")
    told = json.dumps({**json.loads(payload), **data}).encode()
    return dataclasses.replace(one, stdin=b"\n".join((*source, told, end)))


def run(one: Command) -> Heard:
    heard = Heard()
    client.run(Host("here", LocalTransport()), one, heard, lambda: None)
    return heard


def left(state: Path) -> list[Path]:
    return list(state.glob("*"))


def ours(state: Path) -> set[int]:
    """Processes that work in a scratch folder of this benchmark."""
    return {pid for pid in processes() if f"{state}/bench-" in _folder(pid)}


def _folder(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def test_a_run_from_beginning_to_end(tmp_path: Path, vllm: Served) -> None:
    state = tmp_path / "o" / "cluster"
    heard = run(sooner(command(state, vllm.url("/metrics"), 0.5), every=0.1))
    assert heard.status == 0
    assert 0.4 < heard.seconds < 30
    assert heard.log.endswith(" sk-1 *\n")
    assert len(json.loads(heard.result)["a"]) == 1_000_000
    assert heard.before
    assert heard.after
    assert (heard.before.queries, heard.before.hits, heard.before.generated_tokens) == (29, 0, 9)
    assert (heard.after.finished, heard.after.kv_usage, heard.after.busy) == (3, 0.0, 0)
    assert len(heard.samples) >= 2
    assert [one.at for one in heard.samples] == sorted(one.at for one in heard.samples)
    assert left(state) == []
    assert ours(state) == set()


def test_a_client_that_fails_and_a_server_that_is_gone(tmp_path: Path) -> None:
    heard = run(command(tmp_path / "o" / "c", "http://127.0.0.1:9/metrics", 0, 3))
    assert (heard.status, heard.before, heard.after) == (3, None, None)
    assert "pid" in heard.log


def test_a_server_that_does_not_count(tmp_path: Path) -> None:
    with serving({"/metrics": (200, "python_info 1\n")}) as server:
        heard = run(command(tmp_path / "o" / "c", server.url("/metrics")))
    assert heard.before
    assert (heard.before.hits, heard.before.running) == (None, 0)


def test_a_program_that_is_not_there(tmp_path: Path, vllm: Served) -> None:
    one = client.command(
        ("/no/vllm",), {}, state=str(tmp_path / "o" / "c"), metrics=vllm.url("/metrics"), venv=VENV
    )
    with pytest.raises(CommandFailed) as caught:
        run(one)
    assert "/no/vllm: No such file or directory" in caught.value.stderr
    assert left(tmp_path / "o" / "c") == []


def test_whoever_has_enough_leaves_nothing(tmp_path: Path, vllm: Served) -> None:
    state, heard = tmp_path / "o" / "c", Heard()

    def enough() -> None:
        if heard.samples and len(ours(state)) >= 2:
            raise KeyboardInterrupt

    one = sooner(command(state, vllm.url("/metrics"), 600), every=0.1)
    with pytest.raises(KeyboardInterrupt):
        client.run(Host("here", LocalTransport()), one, heard, enough)
    assert ours(state) == set()
    assert left(state) == []


@pytest.mark.parametrize("way", ["hang up", "fall silent"])
def test_an_owner_who_is_gone_leaves_nothing(tmp_path: Path, vllm: Served, way: str) -> None:
    state = tmp_path / "o" / "c"
    silence = 600.0 if way == "hang up" else 1.0
    channel = Host("here", LocalTransport()).open(
        sooner(command(state, vllm.url("/metrics"), 600), every=0.1, silence=silence)
    )
    eventually(lambda: len(ours(state)) >= 2)
    if way == "hang up":
        channel.close()
    eventually(lambda: not ours(state))
    eventually(lambda: not left(state))
    channel.close()
    with pytest.raises(Unreachable):
        channel.send(b"\n")


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path, vllm: Served) -> None:
    state = tmp_path / "o" / "c"
    (state / "bench-old").mkdir(parents=True)
    (state / "vllm").mkdir()
    run(command(state, vllm.url("/metrics")))
    assert left(state) == [state / "vllm"]
