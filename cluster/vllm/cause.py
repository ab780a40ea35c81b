"""Why an engine died: the first real traceback of its log, and the cause where the pattern is known."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cluster.vllm.known import KNOWN
from cluster.vllm.log import FATAL

_PREFIX = re.compile(
    r"^\s*(?:\x1b\[[\d;]*m)*\((?P<who>[\w ]+?) pid=(?P<pid>\d+)(?:, ip=(?P<ip>[\w.:]+))?\)(?:\x1b\[[\d;]*m)* ?"
)
_STAMP = re.compile(r"^(?:ERROR|WARNING|INFO|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\] ?)?")
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(
    r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Timeout|Failure)\b|^[a-z_]+(?:\.\w+)+: "
)

#: Printed by the tear-down after the real failure.
_NOISE = ("ActorHandleNotFoundError", "EngineDeadError", "Engine core initialization failed", "Failed core proc")


@dataclass(frozen=True)
class RootCause:
    """What killed the engine: `who` is the process (with its host's address where Ray says it), `what` the
    exception."""

    who: str
    what: str
    traceback: tuple[str, ...] = ()
    cause: str = ""
    cure: str = ""


def root_cause(log: str) -> RootCause | None:
    """What the engine died of; None where the log holds neither a traceback nor a fatal line."""
    lines = [_split(line) for line in log.splitlines()]
    found = _first_traceback(lines) or _fatal_line(lines)
    if found is None:
        return None
    known = next((one for one in KNOWN if re.search(one.sign, found.what)), None) or next(
        (one for one in KNOWN if any(re.search(one.sign, line) for line in found.traceback)), None
    )
    return RootCause(found.who, found.what, found.traceback, known.cause, known.cure) if known else found


def _split(line: str) -> tuple[str, str]:
    """Who said it, and what, without stamps."""
    match = _PREFIX.match(line)
    if match is None:
        return "", _STAMP.sub("", line)
    who = f"{match['who']} on {match['ip']}" if match["ip"] else match["who"]
    return who, _STAMP.sub("", line[match.end() :])


def _first_traceback(lines: list[tuple[str, str]]) -> RootCause | None:
    for number, (who, text) in enumerate(lines):
        if text.startswith(_TRACEBACK):
            body = _body([said for other, said in lines[number:] if other == who])
            if body and not any(noise in body[-1] for noise in _NOISE):
                return RootCause(who, body[-1], tuple(body))
    return None


def _body(lines: list[str]) -> list[str]:
    """The traceback up to and with its exception."""
    for number, line in enumerate(lines[1:], 1):
        if line and not line[0].isspace() and _EXCEPTION.match(line):
            return lines[: number + 1]
    return []


def _fatal_line(lines: list[tuple[str, str]]) -> RootCause | None:
    """No traceback: a line that an argument parser or Ray left, or one of the fatal ones."""
    signs = (*FATAL, *(one.sign for one in KNOWN), r"^[\w ]*: error: ", r"^[\w.]*Error: ")
    for who, text in lines:
        if any(re.search(sign, text) for sign in signs):
            return RootCause(who, text.strip())
    return None
