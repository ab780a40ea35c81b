"""What each command tells of one host, by its JSON; and how much memory a command takes."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.scenarios.faults.parsed_report import ParsedReport
from tests.scenarios.operator import Operator

Done = subprocess.CompletedProcess[str]


def of_host(verb: str, done: Done, host: str) -> ParsedReport:
    """The first report of this host. Fails where there is none."""
    return next(report for report in _reports(verb, done) if report.host == host)


def _reports(verb: str, done: Done) -> list[ParsedReport]:
    document = json.loads(done.stdout) if verb != "logs" else {}
    match verb:
        case "check":
            return [_report(each, "found") for each in document["findings"]]
        case "status":
            return [_report(each, "problem") for each in document["hosts"]]
        case "down":
            return [_report(each, "what") for each in document["leftovers"]]
        case "diagnose":
            return [_report(each, "cause") for each in document["problems"]]
    return [_report(json.loads(line), "cause") for line in done.stderr.splitlines() if line.startswith("{")]


def _report(row: dict[str, Any], cause: str) -> ParsedReport:
    return ParsedReport(row["host"], row[cause], row["cure"])


def measured(operator: Operator, *words: str | Path) -> tuple[Done, int]:
    """Runs a command; also returns the most memory that it had, in MiB."""
    peak = 0
    with operator.start(*words) as process, ThreadPoolExecutor(1) as pool:
        output = pool.submit(process.communicate)
        while not output.done():
            peak = max(peak, _peak_mib(process.pid))
            wait([output], 0.05)
    return subprocess.CompletedProcess(words, process.returncode, *output.result()), peak


def _peak_mib(pid: int) -> int:
    """Returns 0 for a process that has ended."""
    with suppress(OSError):
        match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(match[1]) >> 10 if match else 0
    return 0
