"""A folder of results on this machine: one folder a run, whole or not there at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from cluster.bench.command import RESULT
from cluster.bench.counters import Stored
from cluster.bench.record import Run
from cluster.bench.workload import Cell, Cold, Origin
from cluster.errors import UsageError
from orchestrator.bench.not_kept import NotKept
from orchestrator.local.atomic_write import atomic_write

_HOW = "how.json"
_RUN = "run.json"
LOG = "log.txt"
INVENTORY = "inventory.json"


class BenchSettings(Stored):
    """The settings that all runs of a results folder share. `rate` is in requests a second. `seed` makes the seeds
    of the runs."""

    rate: float
    cold: Cold
    origin: Origin
    seed: int


@dataclass(frozen=True)
class Results:
    """`settings` are the same for all runs in `folder`."""

    folder: Path
    settings: BenchSettings

    def runs(self) -> tuple[Run, ...]:
        """All that were kept, valid or not, by the names of their folders. Raises UsageError for a broken one."""
        return tuple(run for _, run in kept_runs(self.folder))

    def valid(self, cell: Cell) -> Run | None:
        return next((run for run in self.runs() if run.cell == cell and run.valid), None)

    def attempt(self, cell: Cell) -> int:
        """The number of the next try, from 1: earlier ones stay where they are."""
        return 1 + max((run.attempt for run in self.runs() if run.cell == cell), default=0)

    def abandon(self) -> None:
        """A folder without a run says nothing: it goes, where nothing else is in it."""
        if not any(kept_runs(self.folder)):
            with suppress(OSError):
                (self.folder / _HOW).unlink()
                self.folder.rmdir()

    def keep(self, run: Run, files: Mapping[str, str]) -> None:
        """The run in a folder of its own, with `files` beside it. Raises NotKept; nothing is left half-written."""
        name = run.cell.name if run.attempt == 1 else f"{run.cell.name}.{run.attempt}"
        scratch = self.folder / f".{name}.{secrets.token_hex(8)}.new"
        try:
            scratch.mkdir()
            _write(scratch, {**files, _RUN: run.model_dump_json(indent=1)})
            scratch.replace(self.folder / name)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise _not_kept(self.folder / name, error) from None


def open_results(folder: Path, settings: BenchSettings, seeded: bool) -> Results:
    """Opens a new folder, or one whose benchmark is resumed; its seed stays unless `seed` is given."""
    before = _before(folder / _HOW)
    if before is None:
        _begin(folder, settings)
        return Results(folder, settings)
    now = settings if seeded else settings.model_copy(update={"seed": before.seed})
    if now != before:
        words = ", ".join(_differences(before, now))
        cure = "use the same options, or choose another folder with --results"
        raise UsageError(f"{folder} was measured with other options: {words}", cure=cure)
    return Results(folder, now)


def _before(path: Path) -> BenchSettings | None:
    try:
        return BenchSettings.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as problem:
        raise _unreadable(path, problem) from None


def _begin(folder: Path, settings: BenchSettings) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, {_HOW: settings.model_dump_json(indent=1)})
    except OSError as error:
        message = f"{folder} cannot hold results"
        cure = "choose another folder with --results"
        raise UsageError(message, cause=error.strerror or str(error), cure=cure) from None


def _differences(before: BenchSettings, now: BenchSettings) -> Iterator[str]:
    for name, value in before:
        if getattr(now, name) != value:
            yield f"{name} {value} then, {getattr(now, name)} now"


def kept_runs(folder: Path) -> Iterator[tuple[Path, Run]]:
    """The runs below `folder`, at any depth, each with its own folder. Raises UsageError."""
    for path in sorted(folder.rglob(_RUN)):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            try:
                yield path.parent, Run.model_validate_json(path.read_bytes())
            except (OSError, ValueError) as problem:
                raise _unreadable(path, problem) from None


def read_result(folder: Path) -> str | None:
    """vLLM's own file of a run; None of one that brought none."""
    try:
        return (folder / RESULT).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        atomic_write(folder / name, text.encode())


def _unreadable(path: Path, problem: Exception) -> UsageError:
    cure = "move that folder away, or run the version that wrote it"
    return UsageError(f"{path} cannot be read", cause=_reason(problem), cure=cure)


def _reason(problem: Exception) -> str:
    """The first field that is wrong in a file, and how."""
    if isinstance(problem, ValidationError):
        first = problem.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return ": ".join(filter(None, (where, first["msg"].removeprefix("Value error, "))))
    return (isinstance(problem, OSError) and problem.strerror) or str(problem).partition("\n")[0]


def _not_kept(path: Path, error: OSError) -> NotKept:
    return NotKept(
        f"failed to save a run in {path}",
        cause=error.strerror or str(error),
        cure="free space there, then run the same command with `--results` and this folder to resume",
    )
