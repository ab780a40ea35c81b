"""Why an engine died: the first real traceback of its log, and the cause where the pattern is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cluster.vllm.known import KNOWN
from cluster.vllm.log import FATAL

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_PREFIX = re.compile(r"\s*\((?P<who>[\w ]+?) pid=\d+(?:, ip=(?P<ip>[\w.:]+))?\) ?")
_STAMP = re.compile(
    r"(?:ERROR|WARNING|INFO|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\] ?)?|[\d-]{10} [\d:,]{12}\t\w+ \S+ -- "
)
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Timeout|Failure)\b|[a-z_]+(?:\.\w+)+: ")

#: Ray hands over an exception of a rank: its own traceback follows, with the exception at the end.
_REMOTE = re.compile(r"RayTaskError\(\w+\): ray::(?P<who>\w+).*?\(pid=\d+, ip=(?P<ip>[\w.:]+)")

#: Ray says where a rank died; the executor says only that one did.
_DIED_AT = re.compile(r"A worker died .* Worker IP address: (?P<ip>[\w.:]+)")

#: Processes whose tracebacks count before those of the API server, which only hears of it.
_ENGINE = re.compile(r"EngineCore|RayWorkerProc|Worker")

#: Printed by the tear-down after the real failure.
_NOISE = (
    "ActorHandleNotFoundError",
    "EngineDeadError",
    "Engine core initialization failed",
    "Failed core proc",
    "Executor failed",
)


@dataclass(frozen=True)
class RootCause:
    """What killed the engine: `who` is the process (with its host's address where Ray says it), `what` the
    exception."""

    who: str
    what: str
    traceback: tuple[str, ...] = ()
    cause: str = ""
    cure: str = ""


@dataclass(frozen=True)
class _Line:
    """`source` tells apart processes of one name; `text` is without stamps and colours."""

    source: str
    who: str
    text: str


def root_cause(log: str) -> RootCause | None:
    """What the engine died of; None where the log holds neither a traceback nor a fatal line."""
    lines = [_split(line) for line in log.splitlines()]
    tracebacks = list(_tracebacks(lines))
    engines = (one for one in tracebacks if _ENGINE.match(one.who))
    found = next(engines, None) or next(iter(tracebacks), None) or _fatal_line(lines)
    return _explained(found) if found else None


def _split(line: str) -> _Line:
    """A line of a rank has two prefixes, Ray's and its own; Ray's says the host."""
    text, who = _COLOUR.sub("", line), ""
    start = 0
    while match := _PREFIX.match(text, start):
        who = who or (f"{match['who']} on {match['ip']}" if match["ip"] else match["who"])
        start = match.end()
    stamp = _STAMP.match(text, start)
    return _Line(text[:start], who, text[stamp.end() if stamp else start :])


def _tracebacks(lines: list[_Line]) -> Iterator[RootCause]:
    """Those that are not of the tear-down, in order."""
    for number, line in enumerate(lines):
        if line.text.startswith(_TRACEBACK):
            found = _traceback(line.who, [one.text for one in lines[number:] if one.source == line.source])
            if found and not any(noise in found.what for noise in _NOISE):
                yield found


def _traceback(who: str, lines: list[str]) -> RootCause | None:
    """The traceback up to and with its exception; None where the log ends before."""
    handed: RootCause | None = None
    for number, line in enumerate(lines[1:], 1):
        if not _EXCEPTION.match(line):
            continue
        body = tuple(lines[: number + 1])
        remote = _REMOTE.search(line)
        if remote is None:
            return RootCause(handed.who if handed else who, _what(line, lines[number + 1 :]), body)
        handed = RootCause(f"{remote['who']} on {remote['ip']}", line, body)
    return handed


def _what(line: str, after: list[str]) -> str:
    """The exception; of pydantic's, which counts problems, the first problem."""
    if "validation error" in line and after and after[0].startswith("  "):
        return after[0].strip().removeprefix("Value error, ").partition(" [type=")[0]
    return line


def _fatal_line(lines: list[_Line]) -> RootCause | None:
    """No traceback: one of the fatal lines, or one that an argument parser or Ray left."""
    for signs in (FATAL, (*(one.sign for one in KNOWN), r"^[\w ]*: error: ", r"^[\w.]*Error: ")):
        for line in lines:
            if any(re.search(sign, line.text) for sign in signs):
                return RootCause(_died(line, lines), line.text.strip())
    return None


def _died(fatal: _Line, lines: list[_Line]) -> str:
    where = next((found for line in lines if (found := _DIED_AT.search(line.text))), None)
    return f"RayWorkerProc on {where['ip']}" if where and "died unexpectedly" in fatal.text else fatal.who


def _explained(found: RootCause) -> RootCause:
    known = next((one for one in KNOWN if re.search(one.sign, found.what)), None) or next(
        (one for one in KNOWN if any(re.search(one.sign, line) for line in found.traceback)), None
    )
    return replace(found, cause=known.cause, cure=known.cure) if known else found
