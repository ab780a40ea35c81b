"""The scripted engine on one host, without Ray: with Ray it behaves the same."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.timing import LIMIT, Stopwatch, eventually

from .own_sandbox import ROOT, Up, sandbox, up

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the sandbox needs root")


class Engine:
    def __init__(self, where: Up) -> None:
        self.up = where
        self.process: subprocess.Popen[bytes] | None = None
        self.told()

    def argv(self) -> list[str]:
        vllm = f"{sys.prefix}/bin/vllm"
        sizes = ["--tensor-parallel-size", "2", "--served-model-name", "tiny"]
        return [vllm, "serve", "/models/ernie-4.5-vl-tiny", *sizes]

    def start(self, *more: str) -> None:
        """Returns once this engine, and no earlier one, has left its pid."""
        self.up.on("node0", "rm", "-f", "/tmp/pid", "/tmp/log")
        command = ["sh", "-c", 'echo $$ >/tmp/pid; exec "$@" >/tmp/log 2>&1', "sh", *self.argv(), *more]
        argv = [sys.executable, "-m", "sandbox", "exec", "--name", self.up.name, "node0", "--", *command]
        self.process = subprocess.Popen(argv, cwd=ROOT)
        eventually(lambda: self.up.on("node0", "cat", "/tmp/pid").stdout)

    def told(self, **behaviour: object) -> None:
        self.up.on("node0", "tee", "/etc/sandbox/engine.json", stdin=json.dumps(behaviour))

    def stop(self) -> int:
        self.up.on("node0", "sh", "-c", "kill $(cat /tmp/pid)")
        return self.wait()

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait(self) -> int:
        return self.process.wait(LIMIT) if self.process else 0

    def log(self) -> str:
        return self.up.on("node0", "cat", "/tmp/log").stdout

    def healthy(self) -> bool:
        try:
            return self.get("/health") == ""
        except OSError:
            return False

    def get(self, path: str) -> str:
        return self._ask(urllib.request.Request(self._url(path)))

    def complete(self, path: str = "/v1/completions") -> dict[str, Any]:
        body = json.dumps({"model": "tiny", "prompt": "hello", "max_tokens": 3}).encode()
        answer: dict[str, Any] = json.loads(self._ask(urllib.request.Request(self._url(path), data=body)))
        return answer

    def _url(self, path: str) -> str:
        return f"http://{self.up.hosts()[0]['address']}:8000{path}"

    def _ask(self, request: urllib.request.Request) -> str:
        with urllib.request.urlopen(request, timeout=3) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def one() -> Iterator[Up]:
    made = up(f"scripted-{os.getpid()}", "--hosts", "1", "--gpus", "2", "--engine", "scripted")
    yield made
    sandbox("down", "--name", made.name)


@pytest.fixture
def engine(one: Up) -> Iterator[Engine]:
    engine = Engine(one)
    yield engine
    engine.stop()


def test_it_serves_tokens_and_holds_the_gpus(engine: Engine) -> None:
    engine.start()
    eventually(engine.healthy)
    assert engine.complete()["usage"]["completion_tokens"] == 3
    assert "vllm:generation_tokens_total" in engine.get("/metrics")
    used = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    assert engine.up.said("node0", *used).split() == ["61000", "61000"]
    with Stopwatch() as watch:
        assert engine.stop() == 0
    assert watch.seconds < 1


def test_a_key_is_asked_for(engine: Engine) -> None:
    engine.start("--api-key", "secret")
    eventually(engine.healthy)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        engine.complete()
    assert engine.complete("/invocations")["usage"]["completion_tokens"] == 3, "as vLLM does by itself"


def test_it_crashes_with_its_cause(engine: Engine) -> None:
    engine.told(behaviour="crash")
    engine.start()
    assert engine.wait() == 1
    assert "OutOfMemoryError" in engine.log()
    assert "Engine core initialization failed" in engine.log()


@pytest.mark.parametrize("behaviour", ["linger", "hang", "placement"])
def test_it_stays_and_never_serves(engine: Engine, behaviour: str) -> None:
    engine.told(behaviour=behaviour)
    engine.start()
    last = {"linger": "initialization failed", "hang": "40% Completed", "placement": "for 30 seconds"}
    eventually(lambda: last[behaviour] in engine.log())
    assert engine.runs()
    assert not engine.healthy()


def test_it_is_healthy_and_gives_no_token(engine: Engine) -> None:
    engine.told(behaviour="tokenless")
    engine.start()
    eventually(engine.healthy)
    with pytest.raises(TimeoutError):
        engine.complete()
    assert 'num_requests_running{engine="0",model_name="tiny"} 1.0' in engine.get("/metrics")
    engine.told(behaviour="empty")
    assert engine.complete()["usage"]["completion_tokens"] == 0


def test_it_wedges_after_its_first_tokens(engine: Engine) -> None:
    engine.told(behaviour="wedge", tokens_before_wedge=1)
    engine.start()
    eventually(engine.healthy)
    assert engine.complete()["usage"]["completion_tokens"] == 3
    with pytest.raises(TimeoutError):
        engine.complete()


def test_a_taken_port_fails_at_once(engine: Engine) -> None:
    engine.start()
    eventually(engine.healthy)
    done = engine.up.on("node0", *engine.argv())
    assert done.returncode == 1
    assert "Address already in use" in done.stdout


def test_an_unknown_flag_is_refused(engine: Engine) -> None:
    done = engine.up.on("node0", *engine.argv(), "--no-such-flag")
    assert done.returncode == 2
    assert "unrecognized arguments: --no-such-flag" in done.stderr
