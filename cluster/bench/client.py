"""The benchmark client on a host. It is launched and followed, and ends with this program."""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from cluster.bench.command import RESULT
from cluster.bench.counters import FAMILIES, Counters, Sample
from cluster.command import Command, json_lines, program
from cluster.errors import CommandFailed, MalformedAnswer, Unreachable
from cluster.launch.unit import STATE_HINTS
from cluster.transport.conversation import Conversation
from cluster.transport.host import Host
from cluster.values.base import Fact

#: Seconds, longer than any run. The program ends when the connection closes or the heartbeat stops.
_LONGEST = 7 * 86400.0
_SILENCE = 60.0
_BEAT = 10.0
#: Seconds between two samples of the server's counters; seconds until an event is noticed; and seconds for the
#: program to end its processes and confirm it.
_SAMPLE = 1.0
_ATTENTION = 0.5
_FAREWELL = 10.0

#: Bytes of the result as it comes, and unpacked: it has a number for every token. Characters of the client's log.
_MOST_PACKED, _MOST_UNPACKED = 32 << 20, 256 << 20
_MOST_LOG = 200 << 10
#: Samples that may come too early.
_EARLY = 60


class _Ended(Fact):
    """The exit of the client: its status, and its duration in seconds."""

    status: int
    seconds: float = Field(ge=0)


@dataclass
class Heard:
    """The messages of the client's host so far.

    `before` and `after` are None where the server did not answer. `status` is None until the client has exited.
    """

    before: Counters | None = None
    after: Counters | None = None
    samples: list[Sample] = field(default_factory=list)
    status: int | None = None
    seconds: float = 0.0
    log: str = ""
    packed: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    @property
    def result(self) -> str:
        """Returns vLLM's own result file; empty where there is none. Raises ValueError for a damaged file."""
        unpacker = zlib.decompressobj()
        try:
            packed = base64.b64decode("".join(self.packed))
            text = unpacker.decompress(packed, _MOST_UNPACKED) if packed else b""
        except zlib.error as problem:
            raise ValueError(f"the result is damaged: {problem}") from None
        if self.packed and not unpacker.eof:
            raise ValueError(f"the result is damaged, or larger than {_MOST_UNPACKED >> 20} MiB")
        return text.decode()

    def hear(self, message: dict[str, Any]) -> None:
        """Reads a message. Raises ValueError for another shape."""
        match message:
            case {"before": dict(counted)}:
                self.before = Counters.model_validate(counted)
            case {"after": dict(counted)}:
                self.after = Counters.model_validate(counted)
            case {"sampled": dict(sampled)}:
                sample = Sample.model_validate(sampled)
                if len(self.samples) < _EARLY + 2 * (time.monotonic() - self.since) / _SAMPLE:
                    self.samples.append(sample)
            case {"status": _, "seconds": _}:
                ended = _Ended.model_validate(message)
                self.status, self.seconds = ended.status, ended.seconds
            case {"log": str(log)}:
                self.log = log[-_MOST_LOG:]
            case {"result": str(piece)}:
                self.packed.append(piece)
                if sum(map(len, self.packed)) > _MOST_PACKED:
                    raise ValueError(f"the result is larger than {_MOST_PACKED >> 20} MiB")


def command(argv: tuple[str, ...], env: dict[str, str], *, state: str, metrics: str, venv: str) -> Command:
    """Returns the command that runs `argv` in a scratch folder below `state`. `metrics` is the server's URL of its
    metrics, as reached there."""
    payload = {
        "state": state,
        "argv": argv,
        "env": env,
        "result": RESULT,
        "url": metrics,
        "families": FAMILIES,
        "every": _SAMPLE,
        "silence": _SILENCE,
    }
    title = "run vllm bench serve"
    return program("bench.bench", payload, title=title, venv=venv, timeout=_LONGEST, hints=STATE_HINTS)


def run(host: Host, command: Command, heard: Heard, news: Callable[[], None]) -> None:
    """Runs it to its end, into `heard`. `news` is called several times a second, and ends the run by raising.

    In every case the client is asked to end, and its end is awaited. Raises HostError when its program fails, for
    example when the connection breaks.
    """
    with Conversation(host.open(command)) as conversation:
        conversation.keep_alive(_BEAT)
        try:
            _listen(host, command, conversation, heard, news)
        except BaseException:
            # A second Ctrl-C in here leaves the client to the end of its stdin.
            conversation.end(b"end\n", "gone", _FAREWELL)
            raise


def _listen(host: Host, command: Command, talk: Conversation, heard: Heard, news: Callable[[], None]) -> None:
    for line in talk.lines(_ATTENTION):
        try:
            for message in json_lines(line or ""):
                heard.hear(message)
        except ValueError as problem:
            raise MalformedAnswer(host.name, command.title, line or "", cause=str(problem)) from None
        news()
    result = talk.result()
    if result.status < 0:
        cure = f"check that {host.name} is up; the client there ends within {_SILENCE:g} s"
        raise Unreachable(host.name, command.title, cause="the connection broke", cure=cure)
    if result.status != 0:
        raise CommandFailed(host.name, command, result.status, "", result.stderr)
