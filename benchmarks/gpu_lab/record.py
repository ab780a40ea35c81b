"""Steps, each with a time limit. Their output is kept, and their end is written down at once."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: Seconds between being asked to end and being killed: an `up` takes back what it started.
_GRACE = 20.0
SKIPPED, TIMED_OUT = "skipped", "timed out"


@dataclass(frozen=True)
class Done:
    """`status` None: it did not run, or did not end. `seconds` of the wall clock."""

    name: str
    status: int | None
    seconds: float
    remark: str = ""
    may_fail: bool = False
    out: str = field(default="", repr=False)

    @property
    def well(self) -> bool:
        return self.status == 0

    def line(self) -> str:
        ended = f"exit {self.status}" if self.status is not None else self.remark
        more = f"  {self.remark}" if self.remark and self.status is not None else ""
        return f"{self.seconds:7.1f} s  {ended:<10}  {self.name}{more}"


class Record:
    """Everything goes to `folder`: three files, however many steps there are. Steps may run side by side."""

    def __init__(self, folder: Path, details: Path, seconds: float) -> None:
        self._folder, self._details = folder, details
        self._end = time.monotonic() + seconds
        self._done: list[Done] = []
        self._figures: dict[str, object] = {}
        self._writing = threading.Lock()
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)
        details.mkdir(parents=True, exist_ok=True)

    @property
    def left(self) -> float:
        """Seconds until all of it must have ended."""
        return self._end - time.monotonic()

    @property
    def well(self) -> bool:
        """Whether everything that ran ended well, but for what may fail."""
        return all(one.well or one.may_fail for one in self._done)

    def step(
        self,
        name: str,
        argv: Sequence[str],
        limit: float,
        keep: float = 0.0,
        least: float = 0.0,
        environ: Mapping[str, str] | None = None,
        may_fail: bool = False,
    ) -> Done:
        """Runs `argv` for `limit` seconds at most, or less if `keep` seconds would not be left. It gets `least`
        seconds in any case, for steps that must run even when the time is over."""
        limit = max(min(limit, self.left - keep), least)
        if limit <= 0:
            return self._note(Done(name, None, 0.0, SKIPPED))
        began, (out, error) = time.monotonic(), self._files(name)
        try:
            status = _run(argv, out, error, limit, environ or {})
        except OSError as problem:
            return self._note(Done(name, None, 0.0, f"not run: {problem}"))
        remark, text = TIMED_OUT if status is None else "", out.read_text(errors="replace")
        return self._note(Done(name, status, time.monotonic() - began, remark, may_fail, text))

    def note(self, name: str, remark: str, status: int | None = 0) -> None:
        """Writes down a step without a program: a finding, or a step that makes no sense now."""
        self._note(Done(name, status, 0.0, remark))

    def figure(self, name: str, value: object) -> None:
        with self._writing:
            self._figures[name] = value
            self._write()

    def place(self, name: str) -> Path:
        """A folder that is kept, for programs that write files of their own."""
        return self._details / name

    def keep(self, name: str, text: str) -> None:
        (self._details / name).write_text(text)

    def close(self) -> None:
        """Packs what every step said."""
        with self._writing, tarfile.open(self._folder / "details.tar.gz", "w:gz") as archive:
            archive.add(self._details, arcname="details")

    def _files(self, name: str) -> tuple[Path, Path]:
        with self._writing:
            self._number += 1
            stem = f"{self._number:03}-{re.sub('[^a-zA-Z0-9.]+', '-', name)}"
        return self._details / f"{stem}.out", self._details / f"{stem}.err"

    def _note(self, done: Done) -> Done:
        with self._writing:
            self._done.append(done)
            print(done.line(), flush=True)
            self._write()
        return done

    def _write(self) -> None:
        steps = [{name: value for name, value in asdict(one).items() if name != "out"} for one in self._done]
        document = {"steps": steps, "figures": self._figures}
        (self._folder / "summary.json").write_text(json.dumps(document, indent=1))
        (self._folder / "summary.txt").write_text("".join(f"{one.line()}\n" for one in self._done))


def _run(argv: Sequence[str], out: Path, error: Path, limit: float, environ: Mapping[str, str]) -> int | None:
    """Its status; None where it had to be ended."""
    with out.open("wb") as said, error.open("wb") as warned:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=warned,
            env={**os.environ, **environ},
            start_new_session=True,
        )
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        _end(process)
        return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends the process with all that it started in its session, which may outlive it."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
