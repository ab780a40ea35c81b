"""Units as the hosts know them: the records of their keepers, and the processes that are there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tests.scenarios.hosts import Hosts

#: Where units keep their records, the lease and the caches.
_STATE = "/var/tmp"

#: What a record holds, with the pid of what its keeper has launched.
Unit = dict[str, Any]


def units(hosts: Hosts, *names: str) -> dict[str, Unit]:
    """Returns them by host and name, as in `node0/vllm`; `leader` is 0 where nothing runs."""
    found = {}
    for host in names:
        for path in _files(hosts, host, "record.json"):
            record = json.loads(hosts.run(host, "cat", path))
            found[f"{host}/{record['unit']}"] = {**record, "leader": _leader(hosts, host, record)}
    return found


def lease(hosts: Hosts, head: str) -> dict[str, Any]:
    """Returns who holds the lease, by its file on the head; empty where there is none, or one half written."""
    for path in _files(hosts, head, "lease"):
        with suppress(ValueError):
            written: dict[str, Any] = json.loads(hosts.run(head, "cat", path, check=False))
            return written
    return {}


def log_has_begun(hosts: Hosts, host: str, unit: str) -> bool:
    """Whether the unit has said anything since its launch."""
    return bool(_files(hosts, host, "log", "-path", f"*/{unit}/*", "-size", "+0"))


def differences(before: Mapping[str, Unit], after: Mapping[str, Unit]) -> list[str]:
    """Returns what is not as it was, by unit and field."""
    gone = [f"{name}: {'gone' if name in before else 'new'}" for name in sorted(before.keys() ^ after.keys())]
    both = sorted(before.keys() & after.keys())
    return [*gone, *(line for name in both for line in _changes(name, before[name], after[name]))]


def described(found: Mapping[str, Unit]) -> str:
    """Names each unit with what tells one launch from another."""
    return ", ".join(f"{name} pid {one['leader']} {one['fingerprint'][:8]}" for name, one in sorted(found.items()))


def _changes(name: str, before: Unit, after: Unit) -> Iterator[str]:
    """Field by field; of an environment, variable by variable."""
    for field in sorted(before.keys() | after.keys()):
        old, new = before.get(field), after.get(field)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(f"{name} {field}", old, new)
        elif old != new:
            yield f"{name} {field}: {old} -> {new}"


def _leader(hosts: Hosts, host: str, record: Mapping[str, Any]) -> int:
    """Returns the first child of the keeper: orphans that it takes in later began later."""
    children = hosts.run(host, "ps", "-o", "pid=", "--ppid", str(record["keeper"]), check=False).split()
    return min(map(int, children), default=0)


def _files(hosts: Hosts, host: str, name: str, *tests: str) -> Sequence[str]:
    # Other files come and go meanwhile, which `find` complains of.
    return hosts.run(host, "find", _STATE, "-xdev", "-type", "f", "-name", name, *tests, check=False).split()
