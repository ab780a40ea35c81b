"""The hosts that may still hold something of a cluster: those of its inventory, and removed hosts that are not
clean yet. This is a pointer too; the hosts themselves know what is there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cluster.errors import UsageError
from cluster.inventory import Inventory
from orchestrator.local.atomic_write import private_write
from orchestrator.local.private_folder import NotPrivate, check_private

_FILE = "places.json"


def path(state: Path, cluster: str) -> Path:
    return state / cluster / _FILE


def known(state: Path, cluster: str) -> tuple[Inventory, ...]:
    """Returns the hosts, each as a single-host inventory. Raises UsageError for a torn file and for a
    folder that is not private."""
    from pydantic import TypeAdapter

    where, what = path(state, cluster), f"the local list of hosts of {cluster} cannot be read"
    try:
        check_private(where.parent)
        return TypeAdapter(tuple[Inventory, ...]).validate_json(where.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except NotPrivate as problem:
        raise UsageError(what, cause=f"{where}: {problem.strerror}", cure=problem.cure) from None
    except (OSError, ValueError) as problem:
        cure = f"remove {where}; the list of removed hosts is then lost"
        raise UsageError(what, cause=f"{where}: {problem}", cure=cure) from None


def keep(state: Path, cluster: str, hosts: Iterable[Inventory]) -> None:
    """Raises OSError."""
    from pydantic import TypeAdapter

    where = path(state, cluster)
    private_write(where, TypeAdapter(tuple[Inventory, ...]).dump_json(tuple(hosts)))


def forget(state: Path, cluster: str) -> None:
    """Removes the list once every host on it is clean. Raises OSError."""
    path(state, cluster).unlink(missing_ok=True)
