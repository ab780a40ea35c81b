"""Whether a unit lives: its keeper and its leader do, and it has all that it cannot do without."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.processes import processes, read_record, runs, unit_pids

#: `ray start` says it once everything of a Ray runs.
STARTED = "Ray runtime started"
#: Characters that a word about who launched a unit may have.
WORD = 256


def presence(folder: str) -> dict[str, Any]:
    """The state of the unit in `folder`: presence, exit status, and what it has lost."""
    record = read_record(folder)
    if record is None:
        pids = unit_pids(folder, processes())
        return {"presence": "dead" if pids else "absent", "status": None, "lost": []}
    lost = lost_of_ray(folder, record["argv"]) if runs(record) else []
    lives = runs(record) and not lost
    return {"presence": "alive" if lives else "dead", "status": record["status"], "lost": lost}


def launcher(record: dict[str, Any]) -> "dict[str, str] | None":
    """Who launched the unit; None where the record does not say, or not in words of sensible length."""
    by = record.get("launched_by")
    if not isinstance(by, dict):
        return None
    names = ("owner", "machine", "state")
    words = {name: by[name] for name in names if isinstance(by.get(name), str) and len(by[name]) <= WORD}
    return words if len(words) == len(names) else None


def lost_of_ray(folder: str, argv: list[str]) -> list[str]:
    """What a Ray that has started no longer has.

    `ray start --block` stays for good when its raylet leaves with exit status 0, as it does once its agent has
    died (seen with Ray 2.60): nobody can connect then, nor find a GPU.
    """
    if argv[1:2] != ["start"] or not says_started(os.path.join(folder, "log")):
        return []
    wanted = ["gcs_server", "raylet"] if "--head" in argv else ["raylet"]
    names = {name(pid) for pid in unit_pids(folder, processes())}
    return [needed for needed in wanted if needed not in names]


def says_started(log: str) -> bool:
    try:
        with open(log, errors="replace") as file:
            return any(STARTED in line for line in file)
    except OSError:
        return False


def name(pid: int) -> str:
    """The name as the kernel keeps it: at most 15 characters."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""
