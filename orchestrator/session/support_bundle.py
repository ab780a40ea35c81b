"""A bundle of all evidence about a cluster, made on request or when a run failed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.diagnosis import bundle
from cluster.diagnosis.collect import Collected, collect
from cluster.errors import ClusterError, HostError, InUse, LeaseHeld, PreflightFailed
from cluster.inventory import Inventory
from cluster.launch.state_folder import state_taken
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.views import Observed
from orchestrator.events import HostMessage, Sink
from orchestrator.local.atomic_write import write_output
from orchestrator.local.private_folder import check_private
from orchestrator.local.version import version
from orchestrator.render import failure
from orchestrator.run.phase import Stage

#: What a reader begins with.
_GUIDE = """\
{version}
failure.txt        why the run failed, if the bundle was made for a failure
inventory.yaml     as it was used, without its secrets
journal/           the last runs, event by event
HOST/facts.json    the facts about the host
HOST/vllm/log, HOST/ray/log, HOST/*/record.json    the units of this cluster
HOST/ray/session_latest/logs/                      Ray's own logs; worker-*-PID.out and .err are the ranks
HOST/nccl.*.log    what NCCL chose, a file a rank
HOST/processes.json, connections.json, gpus.json   what this cluster's processes did, with stacks from py-spy
HOST/kernel.log, nvidia-smi-q.txt, versions.txt    the machine

Secrets are replaced by **********. Long files are cut to their beginning and their end.
{missing}"""

_JOURNALS = 5
_BUNDLES = 5
#: Seconds for hosts to say all when a person waits for the end of a run, and beyond it to pack it and send it.
_HURRY, _GRACE = 3.0, 4.0
_JOURNAL_BYTES = 2 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written: its `size` in bytes, its texts of each host, and what is missing in words."""

    path: Path
    size: int
    texts: dict[str, int]
    missing: tuple[str, ...]
    problems: tuple[HostError, ...]


@dataclass(frozen=True)
class SupportBundle:
    """`journals` is the folder of this cluster's runs."""

    inventory: Inventory
    fleet: Fleet
    journals: Path

    def write(self, path: Path, seen: Observed, seconds: float, why: str = "") -> Bundle:
        """Gives the hosts `seconds` to answer; a host that does not answer in time is missing. Raises OSError
        where the bundle cannot be written."""
        brought = self._brought(seen, seconds)
        late = bundle.missing(brought, [name for name in self.fleet.names if seen[name].facts])
        taken = tuple(self._taken(seen))
        missing = (*_unseen(seen), *(f"{error.host}: {error.reason}" for error in taken), *late)
        contents = bundle.texts(self.inventory, seen, brought, self._own(why, missing))
        texts = {name: len(collected.texts) for name, collected in brought.items()}
        lost = [view.problem for view in seen.values() if view.problem]
        problems = (*lost, *taken, *(collected.problem for collected in brought.values() if collected.problem))
        archive = bundle.packed(path.name.removesuffix(".tar.gz"), contents)
        write_output(path, archive, 0o600)
        return Bundle(path, len(archive), texts, missing, problems)

    def _taken(self, seen: Observed) -> Iterator[HostError]:
        """The errors of hosts where another user owns the folder's place."""
        for name, view in seen.items():
            if view.facts and view.facts.state_taken:
                uid, taken = view.facts.uid, view.facts.state_taken
                yield state_taken(self.inventory, name, uid, taken, "collect evidence")

    def _brought(self, seen: Observed, seconds: float) -> dict[str, Collected]:
        def look(host: Host) -> Collected:
            facts = seen[host.name].facts
            assert facts is not None
            request = bundle.request(self.inventory, host.name, facts.state, seconds)
            return collect(host, self.inventory, request)

        known = self.fleet.subset([name for name, view in seen.items() if view.facts])
        answers = known.within(seconds + _GRACE, look)
        return {name: answer for name, answer in answers.items() if isinstance(answer, Collected)}

    def _own(self, why: str, missing: Sequence[str]) -> dict[str, str]:
        """The local files about the cluster."""
        summary = "\n".join(["Missing:", *(f"- {line}" for line in missing)]) if missing else "Nothing is missing."
        texts = {"README.txt": _GUIDE.format(version=version(), missing=summary + "\n")}
        if why:
            texts["failure.txt"] = why + "\n"
        newest = _oldest_first(self.journals.glob("*.jsonl"))[-_JOURNALS:]
        return texts | {f"journal/{path.name}": _end(path) for path in newest}


def _unseen(seen: Observed) -> Iterator[str]:
    for name, view in seen.items():
        if view.problem and not view.facts:
            why = view.problem.reason
            yield f"{name}: it could not be inspected: {why}"


def _end(path: Path) -> str:
    """Returns the last complete lines of the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return json.dumps({"problem": error.strerror})
    cut = data[-_JOURNAL_BYTES:]
    return (cut if len(cut) == len(data) else cut.partition(b"\n")[2]).decode(errors="replace")


def after_failure(diagnosis: SupportBundle, path: Path, sink: Sink) -> Callable[[Stage, BaseException], None]:
    """Collects evidence after a failure, before anything is rolled back, into a bundle at `path`. Its time is
    limited, Ctrl-C skips it, and its own problems become a note on the failure."""

    def keep(stage: Stage, error: BaseException) -> None:
        if isinstance(error, PreflightFailed | LeaseHeld | InUse):
            return  # all that is known of them is said
        sink(HostMessage("", "collecting evidence from the hosts (Ctrl-C skips it)"))
        try:
            check_private(path.parent)
            made = diagnosis.write(path, stage.seen, _HURRY, _reason(error))
        except KeyboardInterrupt:
            sink(HostMessage("", "evidence from the hosts was skipped"))
        except Exception as problem:  # whatever it is, it must not stand in for why the run failed
            why = (isinstance(problem, OSError) and problem.strerror) or f"{type(problem).__name__}: {problem}"
            error.add_note(f"evidence from the hosts could not be saved: {path}: {why}")
        else:
            _forget_older(made.path)
            error.add_note(f"evidence from every host is in {made.path}")

    return keep


def _reason(error: BaseException) -> str:
    return failure.lines(error) if isinstance(error, ClusterError) else f"{type(error).__name__}: {error}"


def _forget_older(newest: Path) -> None:
    """Keeps the bundles of the last few failures."""
    others = [path for path in newest.parent.glob("*.tar.gz") if path != newest]
    for old in _oldest_first(others)[: 1 - _BUNDLES]:
        old.unlink(missing_ok=True)


def _oldest_first(paths: Iterable[Path]) -> list[Path]:
    """Sorts by time of writing; a time in the future comes from a wrong clock, and counts as old."""
    now = time.time_ns()
    return sorted(paths, key=lambda path: (_written(path) <= now, _written(path), path.name))


def _written(path: Path) -> int:
    """The time in nanoseconds; 0 where the file no longer exists."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
