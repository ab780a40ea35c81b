"""Whether a unit lives: its keeper and its leader do, and it has all that it cannot do without."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import OpenFolder
    from cluster.remote.common.processes import process_name, processes
    from cluster.remote.common.records import read_record, runs
    from cluster.remote.common.unit_processes import unit_pids

#: `ray start` says it once everything of a Ray runs.
STARTED = "Ray runtime started"
#: Characters that a word about who launched a unit may have.
WORD = 256
#: Where in its log it says so, in bytes.
START_OF_LOG = 8 << 20


def presence(unit: Any) -> "dict[str, Any]":
    """The state of the unit in this folder: presence, exit status, and what it has lost."""
    record = read_record(unit)
    if record is None:
        pids = unit_pids(unit, processes())
        return {"presence": "dead" if pids else "absent", "status": None, "lost": []}
    alive = runs(record, unit)
    lost = lost_of_ray(unit, record["argv"]) if alive else []
    return {"presence": "alive" if alive and not lost else "dead", "status": record["status"], "lost": lost}


def launcher(record: dict[str, Any]) -> "dict[str, str] | None":
    """Who launched the unit; None where the record does not say, or not in words of sensible length."""
    by = record.get("launched_by")
    if not isinstance(by, dict):
        return None
    names = ("owner", "machine", "state")
    words = {name: by[name] for name in names if isinstance(by.get(name), str) and len(by[name]) <= WORD}
    return words if len(words) == len(names) else None


def lost_of_ray(unit: "OpenFolder", argv: "list[str]") -> "list[str]":
    """What a started Ray no longer has.

    `ray start --block` keeps running when its raylet exits with status 0, as it does after its agent has exited
    (seen with Ray 2.60). No client can connect then, or find a GPU.
    """
    if argv[1:2] != ["start"] or not says_started(unit):
        return []
    wanted = ["gcs_server", "raylet"] if "--head" in argv else ["raylet"]
    names = {process_name(pid) for pid in unit_pids(unit, processes())}
    return [needed for needed in wanted if needed not in names]


def says_started(unit: "OpenFolder") -> bool:
    try:
        return STARTED.encode() in unit.read("log", START_OF_LOG)
    except OSError:
        return False
