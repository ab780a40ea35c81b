"""The meaning of the log of a starting engine: its progress, and its fatal lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cluster.remote.common.engine_log import Signs, engine_died

#: Each of these means that the engine cannot become ready, even if its process still runs. It ran four minutes
#: after `Engine core initialization failed` (measured).
FATAL = (
    r"Engine core initialization failed",
    r"EngineCore failed to start",
    r"EngineCore encountered a fatal error",
    r"died unexpectedly, shutting down executor",
    r"Started a local Ray instance",
    r"Cannot provide a placement group",
)

#: The engine is ready. Its log may hold a client's own words from here on.
READY = r"Application startup complete"

#: The stages of a start, in the order of their lines (vLLM 0.32).
_STAGES = (
    ("starting", r"non-default args|vLLM API server version"),
    ("reading the model's configuration", r"Resolved architecture"),
    ("starting the engine", r"Initializing a V1 LLM engine"),
    ("joining Ray", r"Connecting to existing Ray cluster|Connected to Ray cluster"),
    ("reserving GPUs", r"Creating a new placement group"),
    ("connecting the ranks", r"world_size=\d+ rank=|vLLM is using nccl"),
    ("loading weights", r"Starting to load model|Loading safetensors checkpoint shards"),
    ("profiling memory", r"Model loading took"),
    ("preparing the KV cache", r"Available KV cache memory|KV cache size"),
    ("capturing CUDA graphs", r"Capturing CUDA graphs"),
    ("starting the server", r"init engine .{0,200} took|Starting vLLM server"),
    ("serving", READY),
)

_SHARDS = re.compile(r"Loading safetensors checkpoint shards:\s+\d+% Completed \| (\d{1,9})/(\d{1,9})")
_KV_TOKENS = re.compile(r"KV cache size: (\d[\d,]{0,20}) tokens")

#: An engine that crashes while it serves writes a line of its own. Clients write lines as well. So the text
#: between two words of a pattern is bounded, and no client's line is read again and again.
_DEAD = (
    r"(?m)^[^\s(]{0,40}\((?:EngineCore|RayWorkerProc)[^)\n]{0,80}\).{0,200}? ERROR [^]\n]{0,80}\] "
    r"(?:EngineCore encountered a fatal error|.{0,200}died unexpectedly, shutting down executor)"
)
_RESERVING, *_RESERVED = [sign for _, sign in _STAGES[4:]]

#: The rules that decide whether an engine has failed, here and on its host.
SIGNS = Signs(
    fatal=list(FATAL),
    ready=READY,
    dead=_DEAD,
    wait=r"Waiting for creating a placement group",
    reserving=_RESERVING,
    reserved=_RESERVED,
)

#: Ray's prefix of a rank, in colour, and vLLM's own prefix of each of its processes.
_ORIGIN = re.compile(r"^(?:\x1b\[[\d;]*m)*(?:\([\w ]+ pid=\d{1,9}[^)]{0,80}\)(?:\x1b\[[\d;]*m)* ?)*")
#: The number of characters in which the last line is searched.
_RECENT = 20_000

_IDLE = re.compile(r"No available shared memory broadcast block found|Waiting for|still waiting")


@dataclass(frozen=True)
class Loading:
    """The progress of a start. `shards` (done) and `of` (all) are rank 0's alone; `kv_tokens` is the size of the
    KV cache."""

    stage: str
    shards: int = 0
    of: int = 0
    kv_tokens: int | None = None

    def __str__(self) -> str:
        loads = self.of and self.stage == "loading weights"
        return f"{self.stage} ({self.shards} of {self.of} shards)" if loads else self.stage


def loading(log: str) -> Loading:
    """Returns the furthest stage that the log of a launch shows."""
    stage = next((name for name, sign in reversed(_STAGES) if re.search(sign, log)), "launched")
    shards = _SHARDS.findall(log)
    tokens = _KV_TOKENS.search(log)
    done, of = map(int, shards[-1]) if shards else (0, 0)
    return Loading(stage, done, of, int(tokens[1].replace(",", "")) if tokens else None)


def failed(log: str) -> bool:
    """Returns whether the log shows that the engine has failed."""
    return engine_died(log.splitlines(keepends=True), SIGNS)


def without_nccl(log: str) -> str:
    """Returns the line that shows gloo between the ranks, as on CPUs. It is empty when they use NCCL, or do not
    yet connect."""
    line = re.search(r"world_size=\d+ rank=.{0,400} backend=gloo", log)
    return line[0] if line else ""


def loaded(log: str) -> bool:
    """Returns whether the weights are loaded, long after the ranks have connected."""
    return loading(log).stage in _AFTER_WEIGHTS


_AFTER_WEIGHTS = tuple(name for name, _ in _STAGES[7:])


def last_line(log: str) -> str:
    """Returns the last line with a text, without the names of processes before it."""
    for line in reversed(log[-_RECENT:].splitlines()):
        if text := _ORIGIN.sub("", line).strip():
            return text
    return ""


def moving_lines(log: str) -> int:
    """Returns the number of lines that show progress. Lines that only repeat a wait do not count."""
    return sum(not _IDLE.search(line) for line in log.splitlines())
