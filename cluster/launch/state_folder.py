"""The obstacle at the path of a folder that we keep on a host, and the command that removes it.

A host reports which folder it is, and the kind of the obstacle. The path and the command are made here.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

from cluster.errors import StateTaken
from cluster.inventory import Inventory, ssh_command
from cluster.launch.unit import folder_name
from cluster.values import Facts, TakenFolder

_WHAT = {
    "link": "is a symbolic link of {}",
    "no folder": "is not a folder, and belongs to {}",
    "owner": "belongs to {}",
    "writable": "is writable by other users",
}
_COMMANDS = {"link": "rm", "no folder": "rm", "owner": "rm -r", "writable": "chmod go-w"}


class Obstacle(NamedTuple):
    """The cause in words, and its fix."""

    cause: str
    cure: str


def obstacle(inventory: Inventory, host: str, uid: int, taken: TakenFolder) -> Obstacle:
    """Returns the obstacle at our folder on `host`; `uid` is our user there."""
    path = _path(inventory, host, uid, taken)
    cause = f"{path} is not private to this user: it {_WHAT[taken.kind].format(taken.owner)}"
    if taken.level == "parent" and taken.kind != "writable":
        return Obstacle(cause, "choose another `runtime: state_directory:`")
    command = "chmod +t" if taken.level == "parent" else _COMMANDS[taken.kind]
    repair = f"`{ssh_command(inventory.host(host), command, '--', shlex.quote(path))}`"
    if taken.level == "parent" or taken.kind == "writable":
        return Obstacle(cause, repair)
    return Obstacle(cause, f"look at it first; then remove it as root: {repair}")


def obstacle_of(inventory: Inventory, host: str, facts: Facts) -> Obstacle | None:
    """Returns the same from the facts of a host; None without an obstacle."""
    return obstacle(inventory, host, facts.uid, facts.state_taken) if facts.state_taken else None


def state_taken(inventory: Inventory, host: str, uid: int, taken: TakenFolder, doing: str) -> StateTaken:
    """Returns the error of an action that needs the folder; `doing` names the action."""
    cause, cure = obstacle(inventory, host, uid, taken)
    return StateTaken(host, doing, cause=cause, cure=cure)


def _path(inventory: Inventory, host: str, uid: int, taken: TakenFolder) -> str:
    names = {"parent": 0, "user": 1, "cluster": 2}.get(taken.level, 3)
    parts = (f"o-{uid}", folder_name(inventory.cluster, host), taken.level)
    return "/".join((inventory.runtime.state_directory.rstrip("/"), *parts[:names])) or "/"
