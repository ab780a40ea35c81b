"""The small programs: the token, the sweep, a request from the host, NCCL's lines."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import remote
from cluster.command import remote_source, with_parts
from cluster.engine import endpoint, nccl
from cluster.engine.requests import Answer, EndpointRequest
from cluster.errors import CommandFailed
from cluster.launch import ray, unit
from tests.cluster.http_server import closed_port, serving
from tests.cluster.remote.cell import FOREVER, HOST, Cell
from tests.cluster.remote.local import VENV, here
from tests.timing import eventually

FOLDER = Path(remote.__file__).parent
PROGRAMS = sorted(f"{path.parent.name}.{path.stem}" for path in FOLDER.glob("*/[a-z]*.py"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_for_old_pythons_too(name: str) -> None:
    ast.parse(remote_source(name), feature_version=(3, 9))


def test_parts_of_a_program_share_no_name() -> None:
    """They are one text on the host: a second `links` would silently replace the first."""
    for name in PROGRAMS:
        defined = names(with_parts(name))
        assert sorted(defined) == sorted(set(defined)), name


def names(program: str) -> list[str]:
    """What it defines at the top, but for its imports."""
    body = ast.parse(program).body
    functions = [one.name for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    assigned = [one.targets[0] for one in body if isinstance(one, ast.Assign)]
    return functions + [one.id for one in assigned if isinstance(one, ast.Name)]


def token(cell: Cell, wanted: str = "") -> str:
    return HOST.ask(ray.token(cell.state, VENV, wanted))


def test_a_token_is_made_once(cell: Cell) -> None:
    first = token(cell)
    assert len(bytes.fromhex(first)) == 32
    assert token(cell) == first
    path = Path(cell.state, "ray.token")
    assert (path.read_text(), path.stat().st_mode & 0o777) == (first, 0o600)


def test_a_token_that_is_given_is_kept(cell: Cell) -> None:
    token(cell)
    assert token(cell, "ours") == "ours"
    assert token(cell) == "ours"


def test_a_token_in_somebody_elses_folder_is_refused(cell: Cell, tmp_path: Path) -> None:
    (tmp_path / "o-0").mkdir()
    Path(cell.state).symlink_to(tmp_path)
    with pytest.raises(CommandFailed):
        token(cell)
    assert not (tmp_path / "ray.token").exists()


def test_a_token_that_cannot_be_written_says_why(cell: Cell) -> None:
    Path(cell.state, "ray.token").mkdir(parents=True)
    with pytest.raises(CommandFailed) as caught:
        token(cell)
    assert caught.value.output.endswith("ray.token: Is a directory")
    assert os.listdir(cell.state) == ["ray.token"]


def sweep(cell: Cell) -> set[str]:
    HOST.run(unit.remove_state(cell.state, VENV))
    state = Path(cell.state)
    return set(os.listdir(state)) if state.exists() else set()


def test_a_sweep_leaves_the_caches(cell: Cell) -> None:
    state = Path(cell.state)
    (state / "cache" / "triton").mkdir(parents=True)
    (state / "ray" / "session").mkdir(parents=True)
    (state / "nccl.host.7.log").write_text("")
    (state / "ray.token").write_text("hush")
    assert sweep(cell) == {"cache"}


def test_without_caches_nothing_is_left(cell: Cell, tmp_path: Path) -> None:
    (Path(cell.state) / "cache").mkdir(parents=True)
    assert sweep(cell) == set()
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_beside_is_left_alone(cell: Cell) -> None:
    beside = Path(cell.state).with_name("89abcdef")
    beside.mkdir(parents=True)
    assert sweep(cell) == set()
    assert beside.exists()


def test_what_lives_and_the_lease_are_left_alone(cell: Cell) -> None:
    cell.launch(FOREVER)
    Path(cell.state, "lease").write_text("")
    Path(cell.state, "ray").mkdir()
    assert sweep(cell) == {"vllm", "lease"}
    assert cell.look().alive


def test_what_cannot_be_removed_is_named_and_does_not_keep_the_rest(cell: Cell) -> None:
    state = Path(cell.state)
    (state / "ray" / "session").mkdir(parents=True)
    (state / "vllm").mkdir()
    (state / "zoo").write_text("")
    with immovable(state / "ray" / "session" / "log"), pytest.raises(CommandFailed) as caught:
        sweep(cell)
    assert caught.value.output == f"{state}/ray: Operation not permitted"
    assert os.listdir(state) == ["ray"]


@contextmanager
def immovable(path: Path) -> Iterator[None]:
    """A file that even root cannot remove."""
    path.touch()
    if subprocess.run(["chattr", "+i", path], capture_output=True).returncode:
        pytest.skip("no immutable files here")
    yield
    subprocess.run(["chattr", "-i", path], check=True)


def test_a_sweep_of_nothing_is_well(cell: Cell) -> None:
    assert sweep(cell) == set()


def ask(port: int, request: EndpointRequest, name: str = "127.0.0.1") -> Answer:
    return endpoint.Endpoint(f"http://{name}:{port}", "here", "hush", VENV, HOST).ask(request, 5)


def test_the_host_asks_for_us() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    with serving({"/a": (200, "ä"), "/b": (503, "busy"), "/c": b"SSH-2.0\r\n", "/d": raw}) as served:
        assert ask(served.port, EndpointRequest("/a")) == Answer(200, "ä")
        assert ask(served.port, EndpointRequest("/b", {"x": "ä"})) == Answer(503, "busy")
        assert [ask(served.port, EndpointRequest(path)).status for path in ("/none", "/c", "/d")] == [404, 0, 0]
    get, post, *_ = served.asked
    assert (get.method, get.key) == ("GET", "Bearer hush")
    assert (post.method, json.loads(post.body)) == ("POST", {"x": "ä"})


def test_a_redirect_does_not_take_the_key_elsewhere() -> None:
    with serving({}) as other:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {other.url('/b')}\r\nContent-Length: 0\r\n\r\n".encode()
        with serving({"/a": moved}) as served:
            assert ask(served.port, EndpointRequest("/a")).status == 302
        assert other.asked == []


def test_nothing_is_sent_to_a_port_where_another_than_the_unit_listens(cell: Cell) -> None:
    with serving({"/a": (200, "x")}) as stranger:
        where = endpoint.Endpoint(stranger.url(""), "here", "hush", VENV, HOST, str(cell.folder()))
        answer = where.ask(EndpointRequest("/a"), 5)
        assert stranger.asked == []
    assert (answer.status, answer.stranger) == (0, True)
    assert answer.text.startswith(f"port {stranger.port} of this host does not belong to this engine: ")


SERVE = "import http.server as h; h.HTTPServer(('127.0.0.1', {}), h.SimpleHTTPRequestHandler).serve_forever()"


def test_a_unit_that_listens_there_is_asked(cell: Cell) -> None:
    port = closed_port()
    cell.launch((sys.executable, "-c", SERVE.format(port)))
    where = endpoint.Endpoint(f"http://127.0.0.1:{port}", "here", "hush", VENV, HOST, str(cell.folder()))
    assert eventually(lambda: where.ask(EndpointRequest("/"), 5).status) == 200


def test_nobody_answers_the_host() -> None:
    answer = ask(closed_port(), EndpointRequest("/a"))
    assert answer.status == 0
    assert "refused" in answer.text


def test_a_name_that_cannot_be_encoded_is_nobody() -> None:
    answer = ask(closed_port(), EndpointRequest("/a"), name="gpu..a")
    assert (answer.status, "label" in answer.text) == (0, True)


def test_nccl_lines_of_living_ranks(cell: Cell) -> None:
    state = Path(cell.state)
    state.mkdir(parents=True)
    said = "h:1:2 [0] NCCL INFO Using network IB\nh:1:2 [0] NCCL INFO Trees [0] -1\n"
    (state / f"nccl.a.host.name.{os.getpid()}.log").write_text(said * 3)
    (state / f"nccl.h.{1 << 30}.log").write_text("NCCL INFO Using network Socket\n")
    (state / "nccl.h.%p.log").write_text("NCCL INFO Using network Socket\n")
    assert HOST.ask(nccl.lines(cell.state, VENV)) == ("h:1:2 [0] NCCL INFO Using network IB",)


def test_without_nccl_there_are_no_lines(cell: Cell) -> None:
    assert here().ask(nccl.lines(cell.state, VENV)) == ()
