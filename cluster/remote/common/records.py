"""The keeper's record of its unit, and whether that keeper still runs."""

import json
import math
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder
    from cluster.remote.common.processes import boot_id, is_ours, links, process, process_name

#: A record without these fields is not usable.
RECORDED = {"argv", "fingerprint", "launched", "keeper", "ticks", "boot", "status"}
#: Bytes of a record: the environment of a unit takes some thousand.
LONGEST_RECORD = 1 << 20
#: Above every pid, exit status and start time.
LARGEST_NUMBER = 1 << 62


def read_record(unit: Any) -> "dict[str, Any] | None":
    """Returns the keeper's record of the unit in this folder; None where this user has no complete one."""
    if not isinstance(unit, OpenFolder):
        return None
    try:
        with open(unit.open("record.json"), "rb") as file:
            writable = os.fstat(file.fileno()).st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            record = json.loads(file.read(LONGEST_RECORD))
    except (OSError, ValueError, RecursionError):
        return None
    return record if not writable and is_record(record) else None


def is_record(record: Any) -> bool:
    """Returns whether every field has its type: otherwise it comes from another program, or was never complete."""
    if not (isinstance(record, dict) and set(record) >= RECORDED):
        return False
    argv, texts = record["argv"], (record["fingerprint"], record["boot"], record.get("cluster", ""))
    return (
        isinstance(argv, list)
        and all(isinstance(text, str) for text in (*argv, *texts, record.get("launch") or ""))
        and is_number(record["launched"])
        and type(record["keeper"]) is int
        and 1 < record["keeper"] < LARGEST_NUMBER
        and type(record["ticks"]) is int
        and (record["status"] is None or (type(record["status"]) is int and is_number(record["status"])))
        and type(record.get("stopping", False)) is bool
    )


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < LARGEST_NUMBER and math.isfinite(value)


def runs(record: "dict[str, Any]", unit: "OpenFolder") -> bool:
    """Returns whether the keeper of this record still runs, and its leader has not exited."""
    return record["status"] is None and not record.get("stopping") and keeper_lives(record, unit)


def keeper_lives(record: "dict[str, Any]", unit: "OpenFolder") -> bool:
    """Returns whether the process of this record runs and keeps this unit.

    A killed keeper stays as a zombie where its parent does not collect it, for example under the first process of
    a container.
    """
    keeper = process(record["keeper"]) if record["boot"] == boot_id() else None
    lives = keeper is not None and keeper.ticks == record["ticks"] and keeper.state not in "ZX"
    return lives and is_keeper(record["keeper"], unit)


def is_keeper(pid: int, unit: Any) -> bool:
    """Returns whether it is the keeper of this very unit.

    Its user decides, the name that only keepers give themselves, and the files that it has open there.
    """
    if (
        isinstance(unit, NotOurs)
        or not is_ours(pid)
        or process_name(pid) != f"keeper {os.path.basename(unit.path)}"
    ):
        return False
    top = folder_path(unit)
    return any(target == top or target.startswith(top + "/") for target, _ in links(f"/proc/{pid}/fd"))


def folder_path(unit: Any) -> str:
    """Returns the path as processes have it that have a file open there, also after the folder was removed."""
    return unit.real_path() if isinstance(unit, OpenFolder) else os.path.realpath(unit.path)
