"""The inventories in use, as this machine knows them. They are a pointer, never the truth about a host."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cluster.errors import UsageError
from orchestrator.local.atomic_write import private_write
from orchestrator.local.private_folder import NotPrivate, check_private

_INVENTORY = "inventory.yaml"
_BASE = "base.json"


def path(state: Path, cluster: str) -> Path:
    return state / cluster / _INVENTORY


def remember(state: Path, cluster: str, inventory: Path) -> None:
    """Saves the current inventory, and the folder to which its paths are relative. Raises OSError; a machine
    without that file can still start a cluster."""
    remembering(state, cluster, inventory)()


def remembering(state: Path, cluster: str, inventory: Path) -> Callable[[], None]:
    """Reads the inventory now, and returns a function that saves it later. Both raise OSError."""
    if not inventory.is_file():
        raise OSError(errno.EINVAL, "the inventory can be read only once")
    return partial(_keep, state / cluster, inventory.absolute().parent, inventory.read_bytes())


def _keep(folder: Path, base: Path, inventory: bytes) -> None:
    """Writes the inventory last, so that a visible pointer is always complete."""
    private_write(folder / _BASE, json.dumps(str(base)).encode())
    private_write(folder / _INVENTORY, inventory)


def forget(state: Path, cluster: str) -> None:
    """Removes the inventory after a `down` that proved everything released; the journals stay."""
    for name in (_INVENTORY, _BASE):
        (state / cluster / name).unlink(missing_ok=True)


def clusters(state: Path) -> list[str]:
    """Returns the clusters in use."""
    return sorted(path.parent.name for path in state.glob(f"*/{_INVENTORY}"))


def recall(state: Path, cluster: str | None) -> tuple[Path, Path]:
    """Returns the inventory last used and its base. Raises UsageError for none, or for several and none named."""
    known = clusters(state)
    if cluster is None and len(known) > 1:
        names = ", ".join(known)
        raise UsageError(f"several clusters are in use: {names}", cure=f"choose one with --cluster {known[0]}")
    name = cluster or (known[0] if known else None)
    if name is None or name not in known:
        which = f"no cluster {name} is" if name else "no cluster is"
        raise UsageError(f"{which} known on this machine", cure="give the inventory file")
    return state / name / _INVENTORY, _base(state / name / _BASE)


def _base(path: Path) -> Path:
    """Reads bytes, because the writer may have had another locale. Raises UsageError for a torn file."""
    what = f"the local record of {path.parent.name} cannot be read"
    try:
        check_private(path.parent)
        return Path(json.loads(path.read_bytes()))
    except NotPrivate as problem:
        raise UsageError(what, cause=f"{path}: {problem.strerror}", cure=problem.cure) from None
    except (OSError, ValueError, TypeError) as problem:
        raise UsageError(what, cause=f"{path}: {problem}", cure="give the inventory file") from None
