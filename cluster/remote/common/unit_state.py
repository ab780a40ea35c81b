"""The state of a unit: it runs if its keeper, its leader and all processes that it needs run."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import OpenFolder
    from cluster.remote.common.processes import process_name, processes
    from cluster.remote.common.records import read_record, runs
    from cluster.remote.common.unit_processes import unit_pids

#: `ray start` prints it once all processes of a Ray run.
STARTED = "Ray runtime started"
#: The number of characters in a word about the operator who launched a unit.
WORD = 256
#: Bytes of its log in which this line is searched.
START_OF_LOG = 8 << 20


def presence(unit: Any) -> "dict[str, Any]":
    """Returns the state of the unit in this folder: presence, exit status, and missing processes."""
    record = read_record(unit)
    if record is None:
        pids = unit_pids(unit, processes())
        return {"presence": "dead" if pids else "absent", "status": None, "lost": []}
    alive = runs(record, unit)
    lost = lost_of_ray(unit, record["argv"]) if alive else []
    return {"presence": "alive" if alive and not lost else "dead", "status": record["status"], "lost": lost}


def launcher(record: dict[str, Any]) -> "dict[str, str] | None":
    """Returns who launched the unit; None where the record does not hold it, or holds words that are too long."""
    by = record.get("launched_by")
    if not isinstance(by, dict):
        return None
    names = ("owner", "machine", "state")
    words = {name: by[name] for name in names if isinstance(by.get(name), str) and len(by[name]) <= WORD}
    return words if len(words) == len(names) else None


def lost_of_ray(unit: "OpenFolder", argv: "list[str]") -> "list[str]":
    """Returns the processes that a started Ray no longer has.

    `ray start --block` keeps running when its raylet exits with status 0, which happens after a crash of its agent
    (seen with Ray 2.60). Ray then accepts no connection and gives no GPU.
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
