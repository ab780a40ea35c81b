"""What a keeper wrote of its unit, and whether it is the keeper of that unit that lives."""

import json
import math
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder
    from cluster.remote.common.processes import boot_id, is_ours, links, process, process_name

#: What a record must hold to be of any use.
RECORDED = {"argv", "fingerprint", "launched", "keeper", "ticks", "boot", "status"}
#: Of a record, in bytes: the environment of a unit is some thousand.
LONGEST_RECORD = 1 << 20
#: Beyond every pid, exit status and start time.
LARGEST_NUMBER = 1 << 62


def read_record(unit: Any) -> "dict[str, Any] | None":
    """The keeper's record of the unit in this folder; None without a complete record of this user."""
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
    """Whether every field has its type; otherwise another program wrote it, or it is incomplete."""
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
    """Whether the keeper of this record is the one that lives, and its leader has not ended."""
    return record["status"] is None and not record.get("stopping") and keeper_lives(record, unit)


def keeper_lives(record: "dict[str, Any]", unit: "OpenFolder") -> bool:
    """Whether the process of this record runs and keeps this unit.

    A killed process stays as a zombie where its parent does not collect it, as under the first process of a
    container.
    """
    keeper = process(record["keeper"]) if record["boot"] == boot_id() else None
    lives = keeper is not None and keeper.ticks == record["ticks"] and keeper.state not in "ZX"
    return lives and is_keeper(record["keeper"], unit)


def is_keeper(pid: int, unit: Any) -> bool:
    """Whether it is the keeper of this very unit: by its user, by the name that only keepers take, and by its
    open files."""
    if (
        isinstance(unit, NotOurs)
        or not is_ours(pid)
        or process_name(pid) != f"keeper {os.path.basename(unit.path)}"
    ):
        return False
    top = folder_path(unit)
    return any(target == top or target.startswith(top + "/") for target, _ in links(f"/proc/{pid}/fd"))


def folder_path(unit: Any) -> str:
    """The path as processes have it that have something open there; also of one that was removed under them."""
    return unit.real_path() if isinstance(unit, OpenFolder) else os.path.realpath(unit.path)
