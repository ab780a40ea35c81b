"""The root cause of a failed engine: the first real traceback of all its processes, explained where its pattern is
known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile, islice, takewhile

from cluster.diagnosis.known_failures import KNOWN, SILENT
from cluster.diagnosis.log_lines import Line, Process, rank_numbers, split
from cluster.diagnosis.rank_logs import Death, RankLogs, death, last_lines
from cluster.engine.vllm_log import FATAL

_TRACEBACK = "Traceback (most recent call last):"
#: The number of tracebacks that are read, and of log lines for each: the first real traceback is the cause.
_TRACEBACKS, _TRACEBACK_LINES = 100, 2500
#: The number of characters that are read of an exception and of a frame; and of frames.
_READ, _READ_OF_FRAME, _FRAMES = 4000, 300, 300
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Timeout|Failure)\b|[a-z_]+(?:\.\w+)+: ")

#: The number of lines of a message, and the start of a text that no longer belongs to it.
_PARAGRAPH = 4
_NEXT = re.compile(rf"{re.escape(_TRACEBACK)}|During handling of|The above exception")

#: Ray passes on an exception of a rank: its own traceback follows, with the exception at the end.
_REMOTE = re.compile(
    r"RayTaskError\(\w{1,80}\): ray::(?P<kind>\w+).{0,400}?\(pid=(?P<pid>\d{1,9}), ip=(?P<ip>[\w.:]+)"
)

#: The executor logs which rank failed, Ray its host and its pid.
_DIED = re.compile(r"RayWorkerProc rank=\[(?P<rank>\d{1,9}).{0,400}")
_DIED_AT = re.compile(
    r"A worker died (?>.{0,600}? Worker IP address: )(?P<ip>[\w.:]+) (?>.{0,100}?Worker PID: )(?P<pid>\d{1,9})"
)
_ACTOR_DIED = re.compile(
    r"class_name: RayWorkerProc\s+actor_id: \w+\s+pid: (?P<pid>\d{1,9})\s+(?:name: \S*_TP(?P<rank>\d{1,9})\s+)?"
    r"namespace: \S+\s+ip: (?P<ip>[\w.:]+)\s+(?P<detail>The actor .*?)(?= Some common causes|$)",
    re.MULTILINE,
)

#: Tracebacks of these processes count before those of the API server, which only reports them.
_ENGINE = re.compile(r"EngineCore|RayWorkerProc|Worker")

#: The shutdown prints these after the real failure.
_NOISE = (
    "ActorHandleNotFoundError",
    "EngineDeadError",
    "Engine core initialization failed",
    "Failed core proc",
    "Executor failed",
)
#: Lines that explain themselves: from Ray, from a parser of arguments, or from a program without other output.
_PLAIN = (
    r"Started a local Ray instance|Cannot provide a placement group|Waiting for creating a placement group",
    r"^[\w ]*: error: ",
    r"^[\w.]*Error: ",
)

#: A process prints these when another process has failed: they are the cause only if nothing else is.
_OF_ANOTHER = re.compile(
    r"ActorDiedError|ActorUnavailableError|RayActorError|WorkerCrashedError|NodeDiedError|OwnerDiedError"
    r"|Connection (?:closed by peer|reset by peer|was likely closed)|Socket closed|Broken pipe"
    r"|remote process exited or there was a network error|ncclRemoteError|DistNetworkError|RuntimeError: cancelled"
)


@dataclass(frozen=True)
class RootCause:
    """The root cause: the process that logged it or crashed with it, its rank where known, and the exception."""

    process: Process
    what: str
    traceback: tuple[str, ...] = ()
    rank: int | None = None
    cause: str = ""
    cure: str = ""


def root_cause(log: str, elsewhere: Mapping[str, RankLogs] | None = None) -> RootCause | None:
    """Returns the root cause; None where the log holds neither a traceback nor a fatal line.

    `elsewhere` are the logs of the ranks by the address of their host. The address is empty for the host of vLLM.
    """
    lines = split(log)
    tracebacks = [cause for cause in _tracebacks(lines) if not any(noise in cause.what for noise in _NOISE)]
    of_others = [cause for cause in tracebacks if _OF_ANOTHER.search(cause.what)]
    real = [cause for cause in tracebacks if cause not in of_others]
    candidates = (
        *(cause for cause in real if _ENGINE.match(cause.process.kind)),
        *_deaths(lines, elsewhere or {}),
        *real,
        *_fatal_lines(lines, _PLAIN),
        *of_others,
        *_fatal_lines(lines, FATAL),
    )
    first = next(iter(candidates), None)
    return _explained(_numbered(first, lines)) if first else None


def _tracebacks(lines: Sequence[Line]) -> Iterator[RootCause]:
    """Yields all complete tracebacks, in order."""
    begins = (number for number, line in enumerate(lines) if line.text.startswith(_TRACEBACK))
    for number in islice(begins, _TRACEBACKS):
        first, after = lines[number], lines[number : number + _TRACEBACK_LINES]
        if cause := _traceback(first.process, [line.text for line in after if line.source == first.source]):
            yield cause


def _traceback(process: Process, lines: Sequence[str]) -> RootCause | None:
    """Returns the traceback with its exception; None where the log ends before it."""
    handed: RootCause | None = None
    for number, line in enumerate(lines[1:], 1):
        if not _EXCEPTION.match(line):
            continue
        body = tuple(lines[: number + 1])
        remote = _REMOTE.search(line)
        if remote is None:
            return RootCause(handed.process if handed else process, _what(line, lines[number + 1 :]), body)
        handed = RootCause(Process(remote["kind"], int(remote["pid"]), remote["ip"]), line, body)
    return handed


def _what(line: str, after: Sequence[str]) -> str:
    """Returns the text of the exception.

    pydantic counts its problems: the first one is used. NCCL adds a last error. If the message starts on a later
    line, its first paragraph is used.
    """
    if "validation error" in line and after and after[0].startswith("  "):
        return after[0].strip().removeprefix("Value error, ").partition(" [type=")[0]
    for number, follows in enumerate(after[:4]):
        if follows.startswith("Last error:"):
            return f"{line} {' '.join(after[number + 1 : number + 2])}".strip()
    if line.rstrip().endswith(":"):
        return " ".join([line.rstrip(), *_first_paragraph(after)])
    return line


def _first_paragraph(lines: Sequence[str]) -> Iterator[str]:
    """Yields the first lines that are not empty, up to the next traceback."""
    stripped = [line.strip() for line in takewhile(lambda line: not _NEXT.match(line), lines)]
    yield from islice(takewhile(bool, dropwhile(lambda line: not line, stripped)), _PARAGRAPH)


def _deaths(lines: Sequence[Line], elsewhere: Mapping[str, RankLogs]) -> Iterator[RootCause]:
    """Yields ranks that exited without a traceback, with the evidence of their own hosts."""
    text = "\n".join(line.text for line in lines)
    actor, died = _ACTOR_DIED.search(text), _DIED.search(text)
    where, numbered = _DIED_AT.search(text) or actor, died or actor
    if where is None and numbered is None:
        for address, logs in elsewhere.items():
            if how := death(logs, None):
                yield RootCause(Process("", 0, address), how.what, (*how.lines, how.what))
        return
    process = Process("RayWorkerProc", int(where["pid"]), where["ip"]) if where else Process("RayWorkerProc")
    rank = int(numbered["rank"]) if numbered and numbered["rank"] else None
    logs = elsewhere.get(process.address, RankLogs())
    how = death(logs, process.pid or None)
    if how is None:
        evidence = actor["detail"] if actor else died[0] if died else where[0] if where else ""
        own = next((log for log in logs.ranks if log.pid == process.pid), None)
        how = Death(SILENT, (*(last_lines(own) if own else ()), evidence))
    yield RootCause(process, how.what, (*how.lines, how.what), rank)


def _fatal_lines(lines: Sequence[Line], signs: Sequence[str]) -> Iterator[RootCause]:
    """Yields fatal lines without a traceback."""
    for line in lines:
        if any(re.search(sign, line.text) for sign in signs):
            yield RootCause(line.process, line.text.strip())


def _numbered(cause: RootCause, lines: Sequence[Line]) -> RootCause:
    """Returns the cause with the number of its rank, where its process logged it."""
    ranks, process = rank_numbers(lines), cause.process
    number = ranks.get((process.address, process.pid), ranks.get(("", process.pid)))
    return cause if number is None or cause.rank is not None else replace(cause, rank=number)


def _explained(cause: RootCause) -> RootCause:
    what, lines = cause.what[:_READ], [line[:_READ_OF_FRAME] for line in cause.traceback[-_FRAMES:]]
    known = next((known for known in KNOWN if re.search(known.sign, what)), None) or next(
        (known for known in KNOWN if any(re.search(known.sign, line) for line in lines)), None
    )
    return replace(cause, cause=known.cause, cure=known.cure) if known else cause
