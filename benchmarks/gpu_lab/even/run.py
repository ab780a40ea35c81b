"""`python -m benchmarks.gpu_lab.even.run`: an engine a variant, one after another, and all cells against each."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_lab.even import weights
from benchmarks.gpu_lab.run import PLACE

EXAMPLES = ("--compilation-config", '{"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}')
VARIANTS: dict[str, tuple[str, ...]] = {"default": (), "examples": EXAMPLES}
#: As `examples`, with vLLM's own dummy weights: what these flatter.
DUMMY = "examples-dummy"
_PORT, _READY, _ENDED = 8127, 300.0, 30.0
_ROOT = Path(__file__).parents[3]
_TOLD = re.compile(
    r"Model loading took .*|Available KV cache memory: .*|GPU KV cache size: .*|Graph capturing finished .*|"
    r"init engine .* took .*|Using .* attention backend.*|Using .*MoE backend.*|Chunked prefill is enabled .*"
)


@dataclass(frozen=True)
class Rig:
    venv: Path
    model: Path
    out: Path
    arguments: tuple[str, ...]
    measure: tuple[str, ...]

    def variant(self, name: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        folder = self.out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with self._engine(name, folder) as engine:
            began = time.monotonic()
            ready = _ready(engine, min(end - began, _READY))
            self._say(f"{name}: {'ready' if ready else 'not ready'} after {time.monotonic() - began:.1f} s")
            if ready:
                self._measure(name, folder, end - time.monotonic())
        told = _TOLD.findall((folder / "engine.log").read_text(errors="replace"))
        path = self.out / f"{name}.json"
        done = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**done, "log": list(dict.fromkeys(told))}, indent=1))

    def _measure(self, name: str, folder: Path, seconds: float) -> None:
        words = [f"{self.venv}/bin/python", "-m", "benchmarks.gpu_lab.even.measure", f"http://127.0.0.1:{_PORT}"]
        words += [str(self.model), str(self.out / f"{name}.json"), str(folder), "--limit", f"{seconds:.0f}"]
        with (folder / "client.log").open("wb") as log, contextlib.suppress(subprocess.TimeoutExpired):
            both = {"stdout": log, "stderr": subprocess.STDOUT}
            subprocess.run([*words, *self.measure], env=self._environ(folder), timeout=seconds + 20, **both)  # type: ignore[call-overload]

    @contextmanager
    def _engine(self, name: str, folder: Path) -> Generator[subprocess.Popen[bytes]]:
        profiler = f'{{"profiler": "torch", "torch_profiler_dir": "{folder}/traces", "ignore_frontend": true, \
"torch_profiler_with_stack": false, "max_iterations": 20}}'
        words = [
            f"{self.venv}/bin/vllm", "serve", str(self.model), "--served-model-name", self.model.name,
            "--host", "127.0.0.1", "--port", str(_PORT), "--tensor-parallel-size", "1",
            "--pipeline-parallel-size", "1", "--distributed-timeout-seconds", "3600", "--trust-remote-code",
            "--load-format", "dummy", "--language-model-only", "--profiler-config", profiler,
            *VARIANTS.get(name, EXAMPLES), *self.arguments,
        ]  # fmt: skip
        kept = {weights.KEEP: "1"} if name == DUMMY else {}
        with (folder / "engine.log").open("wb") as log:
            process = subprocess.Popen(
                words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**self._environ(folder), weights.ROUTES: str(folder), **kept},
            )  # fmt: skip
        try:
            yield process
        finally:
            _end(process)

    def _environ(self, folder: Path) -> dict[str, str]:
        weights.write_plugin(folder / "plugin")
        path = f"{self.venv}/bin:{os.environ['PATH']}"
        return {**os.environ, "PYTHONPATH": f"{folder}/plugin:{_ROOT}", "PATH": path, "PYTHONUNBUFFERED": "1"}

    def _say(self, words: str) -> None:
        with (self.out / "run.txt").open("a") as file:
            file.write(f"{words}\n")
        print(words, flush=True)


def _ready(engine: subprocess.Popen[bytes], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and engine.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/health", timeout=2).close()
            return True
        time.sleep(0.5)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """All of its session: the engine's own process outlives the server's at times."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ENDED if number == signal.SIGTERM else 5)
    end = time.monotonic() + _ENDED
    while time.monotonic() < end and _group_lives(process.pid):
        time.sleep(0.2)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_lab.even.run", description=__doc__)
    parser.add_argument("--venv", type=Path, default=PLACE / "venv", help="default: %(default)s")
    parser.add_argument("--model", type=Path, default=PLACE / "models/vl28b", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("/tmp/even"), help="default: %(default)s")
    parser.add_argument("--limit", type=float, default=1500.0, help="seconds for all of it (default: %(default)g)")
    parser.add_argument("--variants", nargs="+", choices=(*VARIANTS, DUMMY), default=list(VARIANTS))
    parser.add_argument("--scale", default="1", help="of all lengths, to try the steps on a CPU")
    parser.add_argument("arguments", nargs="*", default=["--max-model-len", "16384"], help="more of vllm serve")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    rig = Rig(options.venv, options.model, options.out, tuple(options.arguments), ("--scale", options.scale))
    end = time.monotonic() + options.limit
    for number, name in enumerate(options.variants):
        rig.variant(name, (end - time.monotonic()) / (len(options.variants) - number))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
