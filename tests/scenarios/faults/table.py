"""The page of faults, as runs write it: a table of faults, and the result of the random walk."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.scenarios.faults.parsed_report import ParsedReport

WALK = "## The random walk"

_WIDTH = 240
_ROOT = str(Path(__file__).parents[3])
_SCRATCH = re.compile(r"/tmp/pytest-of-\S+?/pytest-\d+/[\w-]+?/")

_HEAD = """\
# Faults

What happens when things break, on hosts of the sandbox with the real sshd and the real Ray. Written by

```console
$ make faults
```

between {first} and {last} UTC with Ray {ray}, vLLM {vllm}, Python {python}
and Linux {kernel} on {cores} cores; the rows took {minutes:.0f} minutes. What was not run is not here.
The engine is scripted, but for the rows under "The real vLLM".

**s** is the seconds from the fault to the report, or from the start of the command where the fault was there
before it. A fault of a cluster that serves is reported to whoever asks: these are the seconds to the first
`status` that tells it. **Left** is what is still there after a last `down`, of a row or of several that break
one cluster after each other: processes, files (compile caches stay on purpose) and memory of GPUs, as the
hosts themselves show them.

{count} faults: {passed} as promised, {failed} not.
"""


@dataclass(frozen=True)
class Machine:
    """The machine and the time of a run."""

    date: str
    ray: str
    vllm: str
    python: str
    kernel: str
    cores: int

    @classmethod
    def here(cls) -> Machine:
        date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        cores = len(os.sched_getaffinity(0))
        return cls(date, version("ray"), version("vllm"), platform.python_version(), platform.release(), cores)


@dataclass(frozen=True)
class Row:
    """`seconds` None: nothing was to be reported; `left` empty: nothing; `took` is the seconds of all of it, `at`
    the time of day."""

    group: str
    fault: str
    report: ParsedReport
    seconds: float | None
    then: str
    left: str = ""
    failed: str = ""
    took: float = 0.0
    at: str = ""


def page(rows: Sequence[Row], machine: Machine, walk: str = "") -> str:
    """Returns the whole page; `walk` is the section on the random walk."""
    failed = sum(bool(row.failed) for row in rows)
    counts = {"count": len(rows), "passed": len(rows) - failed, "failed": failed}
    times = {"first": min(row.at for row in rows), "last": max(row.at for row in rows)}
    head = _HEAD.format(minutes=sum(row.took for row in rows) / 60, **counts, **times, **asdict(machine))
    groups = dict.fromkeys(row.group for row in rows)
    parts = [head, *(_section(group, [row for row in rows if row.group == group]) for group in groups)]
    return "\n".join([*parts, walk] if walk else parts)


def walk_section(page: Path) -> str:
    """Returns the section on the random walk of the page that another run has written."""
    text = page.read_text() if page.exists() else ""
    return text[text.index(WALK) :] if WALK in text else ""


def replace_walk(page: Path, section: str) -> str:
    """Returns the page with this section in place of its own."""
    text = page.read_text() if page.exists() else "# Faults\n\n"
    return text[: text.index(WALK)] + section if WALK in text else f"{text}\n{section}"


def _section(group: str, rows: Sequence[Row]) -> str:
    head = "| fault | host | cause | cure | s | then | left |\n|---|---|---|---|---|---|---|\n"
    return f"## {group}\n\n{head}{''.join(map(_line, rows))}"


def _line(row: Row) -> str:
    seconds = "–" if row.seconds is None else f"{row.seconds:.1f}"
    then = f"**not as promised**: {row.failed}" if row.failed else row.then
    cells = (row.fault, row.report.host, row.report.cause, row.report.cure, seconds, then, row.left or "nothing")
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _cell(text: str) -> str:
    """Returns the text on one line, cut, and without the paths of this checkout and of scratch folders."""
    plain = _SCRATCH.sub("/tmp/…/", " ".join(text.split())).replace(_ROOT, "/…").replace("|", "\\|")
    return plain if len(plain) <= _WIDTH else plain[:_WIDTH].rstrip() + "…"
