"""The result of a run, from all messages about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cluster.bench.client import Heard
from cluster.bench.counters import Counts, counts
from cluster.bench.figures import Figures, parse_result
from cluster.bench.verdict import Verdict, failed, judge

_FULL = "No space left on device"
#: The end of a traceback, or a message of an argument parser.
_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b|[\w ]+: error: ")


@dataclass(frozen=True)
class Evaluation:
    """The result. `figures` and `counts` are None where there are none."""

    verdict: Verdict
    figures: Figures | None = None
    counts: Counts | None = None


def evaluate(heard: Heard, requests: int) -> Evaluation:
    """Judges a client that has exited by itself; `requests` is the number of requests that it had to send."""
    if heard.status != 0:
        return Evaluation(failed(_why(heard)))
    if heard.before is None or heard.after is None:
        return Evaluation(failed("the server's /metrics did not answer"))
    try:
        result = parse_result(heard.result)
        difference = counts(heard.before, heard.after)
    except ValueError as problem:
        return Evaluation(failed(str(problem)))
    return Evaluation(
        judge(requests, result.figures, difference, result.errors, heard.before.busy), result.figures, difference
    )


def _why(heard: Heard) -> str:
    """Returns the cause of a failed client.

    A full disk is named wherever it appears; otherwise the last error counts, because libraries print more after
    it.
    """
    lines = [line.strip() for line in heard.log.splitlines() if line.strip()]
    full = (line for line in lines if _FULL in line)
    errors = (line for line in reversed(lines) if _ERROR.match(line))
    message = next(full, None) or next(errors, None) or next(reversed(lines), "it printed nothing")
    return f"vllm bench serve exited with status {heard.status}: {message}"
