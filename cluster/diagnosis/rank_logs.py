"""The logs of a launch's ranks on their own hosts, besides the part that Ray passes on.

They show what killed a rank, and crashes that end Python itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cluster.diagnosis.collect import Collected, CollectRequest, Files
from cluster.diagnosis.log_lines import rank_numbers, split

_FILE = re.compile(r"worker-[\w-]+-(?P<pid>\d{1,9})\.(?:out|err)$")
#: This name is not in the file's name: a worker that Ray started in advance has none there.
_JOB = re.compile(r"^:job_id:([0-9a-f]{8})$", re.MULTILINE)
_ACTOR = ":actor_name:RayWorkerProc"

#: Seconds by which a file of this launch may be older than the launch, by the clocks of the hosts.
_SLACK = 5.0


def request(since: float, seconds: float) -> CollectRequest:
    """Returns the texts to bring of a launch `since` seconds ago: the logs of its ranks, of Ray and of the
    kernel."""
    within = since + _SLACK
    files = (
        Files("ray/session_latest/logs/worker-*", head=24 << 10, tail=72 << 10, within=within),
        Files("ray/session_latest/logs/raylet.*", head=0, tail=24 << 10, within=within),
    )
    return CollectRequest(files, kernel_within=within, seconds=seconds)


@dataclass(frozen=True)
class RankLog:
    """The log of one rank; `rank` is None where it failed before it had a number."""

    pid: int
    rank: int | None
    text: str


@dataclass(frozen=True)
class RankLogs:
    """The evidence of a host about the ranks of the last launch there. `kernel` are lines of its kernel's log."""

    ranks: tuple[RankLog, ...] = ()
    kernel: str = ""
    raylet: str = ""


def read(collected: Collected) -> RankLogs:
    """Reads the texts of a host."""
    texts = collected.texts
    raylet = "\n".join(text for name, text in texts.items() if "/raylet." in name)
    return RankLogs(tuple(_ranks(texts)), texts.get("kernel.log", ""), raylet)


def _ranks(texts: Mapping[str, str]) -> Iterator[RankLog]:
    """Yields the ranks of the latest job of Ray that has ranks: one Ray may have served several launches."""
    of_jobs: dict[int, dict[int, list[str]]] = {}
    for name, text in sorted(texts.items()):
        file, jobs = _FILE.search(name), _JOB.findall(text)
        if file and jobs and _ACTOR in text:
            job = int.from_bytes(bytes.fromhex(jobs[-1]), "little")
            of_jobs.setdefault(job, {}).setdefault(int(file["pid"]), []).append(text)
    for pid, parts in sorted(of_jobs[max(of_jobs)].items()) if of_jobs else ():
        text = "\n".join(parts)
        # Its own lines show its number: they hold its pid and no other.
        yield RankLog(pid, next(iter(rank_numbers(split(text)).values()), None), text)


@dataclass(frozen=True)
class Death:
    """The end of a process that wrote no exception.

    `what` is the evidence. `lines` are frames of its code, the innermost last.
    """

    what: str
    lines: tuple[str, ...] = ()


_OUT_OF_MEMORY = re.compile(r"[Oo]ut of memory: Killed process (?P<pid>\d{1,9}) \((?P<name>[^)]{0,80})\)")
_RAY_KILLED = re.compile(r"killed due to (?:the node running low on memory|memory pressure)|OOM kill")
_CRASH = re.compile(
    r"Segfault encountered|Fatal Python error: |\*\*\* SIG\w+ received|terminate called after|std::bad_alloc"
    r"|double free or corruption|Watchdog caught collective operation timeout|CUDA error: "
)
_NAMES = ("ray::", "VLLM::", "vllm", "python")
#: Frames of Python code, in a stack that is printed innermost first.
_PYTHON = re.compile(r'  File ".*\.py"')
_AROUND, _FRAMES = 200, 3


def death(logs: RankLogs, pid: int | None) -> Death | None:
    """Returns how the process `pid` of this host ended. If `pid` is None, it returns the first known end of any
    rank there."""
    by_kernel = _killed(logs.kernel.splitlines(), pid)
    if by_kernel:
        return by_kernel
    for log in logs.ranks:
        if pid is None or log.pid == pid:
            crash = _crash(log.text.splitlines())
            if crash:
                return crash
    ray = next((line for line in logs.raylet.splitlines() if _RAY_KILLED.search(line)), None)
    return Death(ray) if ray else None


def last_lines(log: RankLog) -> tuple[str, ...]:
    """Returns the last lines of a rank: they show what it did."""
    lines = [line for line in log.text.splitlines() if line.strip() and not line.startswith(":")]
    return tuple(f"its last line: {line}" for line in lines[-2:])


def _killed(kernel: Sequence[str], pid: int | None) -> Death | None:
    """Finds a kill by the kernel. The kernel uses pids of the whole machine, a container its own: so the name
    counts as well."""
    for line in reversed(kernel):
        kill = _OUT_OF_MEMORY.search(line)
        if kill and (int(kill["pid"]) == pid or kill["name"].startswith(_NAMES)):
            return Death(line[kill.start() :].strip())
    return None


def _crash(lines: Sequence[str]) -> Death | None:
    for number, line in enumerate(lines):
        if _CRASH.search(line):
            frames = [frame for frame in lines[number : number + _AROUND] if _PYTHON.match(frame)]
            return Death(line.strip(), tuple(reversed(frames[:_FRAMES])))
    return None
