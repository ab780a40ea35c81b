"""A log of vLLM line by line, with the writer of each line. Lines of ranks come through Ray, with its prefix
before theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_PREFIX = re.compile(r"\s*\((?P<kind>[\w ]+?) pid=(?P<pid>\d{1,9})(?:, ip=(?P<ip>[\w.:]+))?\) ?")
_STAMP = re.compile(
    r"(?:ERROR|WARNING|INFO|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\] ?)?|[\d-]{10} [\d:,]{12}\t\w+ \S+ -- "
)
#: Characters of a line: every sign is near its beginning.
_LONGEST = 1 << 14
#: Follows a line that Ray holds back because other ranks have written the same.
_REPEATED = re.compile(r" ?\[repeated \d+x across cluster\].*$")
_RANK = re.compile(r"world_size=\d+ rank=(\d{1,9}) |\brank (\d{1,9}) in world size \d+")


@dataclass(frozen=True)
class Process:
    """The writer of a line: EngineCore, RayWorkerProc, APIServer; empty where no prefix names it.

    `address` is that of its host where Ray gives it. Ray does not give it for the host of vLLM itself.
    """

    kind: str = ""
    pid: int = 0
    address: str = ""


@dataclass(frozen=True)
class Line:
    """One line. `source` tells apart processes of one name; `text` is without stamps and colours."""

    source: str
    process: Process
    text: str


def split(log: str) -> list[Line]:
    return [_split(line[:_LONGEST]) for line in log.splitlines()]


def _split(line: str) -> Line:
    """Splits one line. The line of a rank has two prefixes, Ray's and its own; Ray's names the host."""
    text, process = _COLOUR.sub("", line), Process()
    start = 0
    while match := _PREFIX.match(text, start):
        if not process.kind:
            process = Process(match["kind"], int(match["pid"]), match["ip"] or "")
        start = match.end()
    stamp = _STAMP.match(text, start)
    return Line(text[:start], process, _REPEATED.sub("", text[stamp.end() if stamp else start :]))


def rank_numbers(lines: Iterable[Line]) -> dict[tuple[str, int], int]:
    """Returns the rank of each process that has logged it, by address and pid."""
    ranks: dict[tuple[str, int], int] = {}
    for line in lines:
        number = _RANK.search(line.text)
        if number and line.process.pid:
            ranks[line.process.address, line.process.pid] = int(number[1] or number[2])
    return ranks
