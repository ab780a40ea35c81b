"""What this machine remembers: which inventories are in use. A pointer, never the truth about a host."""

from __future__ import annotations

import errno
import json
from pathlib import Path

from cluster.errors import UsageError

_INVENTORY = "inventory.yaml"
_BASE = "base.json"


def remember(state: Path, cluster: str, inventory: Path) -> None:
    """Keeps the inventory as it is used now, and the folder that its paths are relative to.

    Raises OSError: a machine that cannot remember can still bring a cluster up.
    """
    if not inventory.is_file():
        raise OSError(errno.EINVAL, "what was given can be read only once")
    folder = state / cluster
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / _BASE, json.dumps(str(inventory.absolute().parent)))
    _write(folder / _INVENTORY, inventory.read_text())


def _write(path: Path, text: str) -> None:
    """Whole or not at all; the inventory comes last, so that a pointer that is seen is a whole one."""
    scratch = path.with_suffix(".new")
    scratch.write_text(text)
    scratch.replace(path)


def forget(state: Path, cluster: str) -> None:
    """After a `down` that proved everything free; the journals stay."""
    for name in (_INVENTORY, _BASE):
        (state / cluster / name).unlink(missing_ok=True)


def recall(state: Path, cluster: str | None) -> tuple[Path, Path]:
    """The inventory last used and its base. Raises UsageError when there is none, or several and none is named."""
    known = sorted(path.parent.name for path in state.glob(f"*/{_INVENTORY}"))
    if cluster is None and len(known) > 1:
        names = ", ".join(known)
        raise UsageError(f"several clusters are in use: {names}", cure=f"say which: --cluster {known[0]}")
    name = cluster or (known[0] if known else None)
    if name is None or name not in known:
        which = f"no cluster {name} is" if name else "no cluster is"
        raise UsageError(f"{which} known on this machine", cure="give the inventory file")
    folder = state / name
    return folder / _INVENTORY, Path(json.loads((folder / _BASE).read_text()))
